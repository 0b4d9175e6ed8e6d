// Draws agents and links on one canvas; places never jump, widths and sizes follow the data.
// Each colour goes with a shape, so that nothing rests on colour alone.
const ROUND = 2 * Math.PI;
const CORNERS = [0, 4, 3, 4, 6, 3, 5, 8];
const TURNS = [0, Math.PI / 4, -Math.PI / 2, 0, 0, Math.PI / 2, -Math.PI / 2, 0];

function floats(view) {
  if (!view || view.byteLength === 0) return new Float32Array(0);
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

// For each link the number of the one the other way round, -1 where there is none.
function opposite(pairs) {
  const place = new Map(), n = pairs.length / 2, made = new Int32Array(n);
  for (let k = 0; k < n; k++) place.set(pairs[2 * k] * 1e7 + pairs[2 * k + 1], k);
  for (let k = 0; k < n; k++) made[k] = place.get(pairs[2 * k + 1] * 1e7 + pairs[2 * k]) ?? -1;
  return made;
}

function outline(pen, shape, x, y, r) {
  pen.beginPath();
  const corners = CORNERS[shape % 8];
  if (!corners) { pen.arc(x, y, r, 0, ROUND); return; }
  const size = corners === 3 ? 1.3 * r : 1.15 * r;
  for (let k = 0; k < corners; k++) {
    const a = TURNS[shape % 8] + (ROUND * k) / corners;
    pen[k ? "lineTo" : "moveTo"](x + size * Math.cos(a), y + size * Math.sin(a));
  }
  pen.closePath();
}

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "swarm-graph";
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  const tip = document.createElement("div");
  tip.className = "swarm-tip";
  box.append(canvas, tip);
  el.append(box);
  const pen = canvas.getContext("2d");
  let data = {}, asked = false, drawn = 0, paint = {};

  const readers = {
    places: () => { data.places = floats(model.get("places")); data.n = data.places.length / 2; },
    links: () => { data.links = floats(model.get("links")); data.back = opposite(data.links); },
    traffic: () => { data.traffic = floats(model.get("traffic")); },
    loads: () => { data.loads = floats(model.get("loads")); },
    colours: () => { data.colours = floats(model.get("colours")); },
    names: () => { data.names = model.get("names"); },
    lit: () => { data.lit = new Set(model.get("lit")); },
    severed: () => { data.severed = new Set(model.get("severed")); },
    closed: () => { data.closed = model.get("closed"); },
    absent: () => { data.absent = new Set(model.get("absent")); },
    removed: () => { data.removed = new Set(model.get("removed")); },
    selected: () => { data.selected = model.get("selected"); },
    palette: () => { data.palette = model.get("palette"); },
    since: () => { data.since = model.get("since"); },
    caption: () => { canvas.setAttribute("aria-label", model.get("caption")); },
    height: () => { data.high = model.get("height"); box.style.height = data.high + "px"; },
  };

  function ask() {
    if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); }
  }

  // The frame keeps both axes alike, so that distances mean the same in both directions.
  function frame(w, h) {
    const m = 30, side = Math.min(w - 2 * m, 1.75 * (h - 2 * m));
    return [(w - side) / 2, m, side, h - 2 * m];
  }

  function radius(i) {
    // In a small picture the marks are smaller too.
    const size = (data.n > 400 ? 3 : data.n > 150 ? 4.5 : 7) * Math.min(1, 0.25 + (0.75 * data.high) / 480);
    const load = data.loads.length === data.n ? Math.min(data.loads[i], 25) : 0;
    return size * (1 + 0.2 * Math.sqrt(load));
  }

  function arrow(x0, y0, x1, y1, r, t, width, apart, head) {
    const length = Math.hypot(x1 - x0, y1 - y0) || 1, ux = (x1 - x0) / length, uy = (y1 - y0) / length;
    const ox = -uy * apart, oy = ux * apart, ex = x1 - ux * r + ox, ey = y1 - uy * r + oy;
    pen.lineWidth = width;
    pen.beginPath(); pen.moveTo(x0 + ox, y0 + oy); pen.lineTo(ex, ey); pen.stroke();
    if (head) {
      const s = 4 + 4 * t;
      pen.beginPath(); pen.moveTo(ex, ey);
      pen.lineTo(ex - ux * s - uy * s * 0.5, ey - uy * s + ux * s * 0.5);
      pen.lineTo(ex - ux * s + uy * s * 0.5, ey - uy * s - ux * s * 0.5);
      pen.fill();
    }
  }

  function links(fx, fy, some) {
    const { links: pairs, traffic, back, lit, absent, n } = data;
    let most = 1e-9;
    for (const t of traffic) if (t > most) most = t;
    // Both directions of a pair run beside each other. Among many agents nobody could tell them apart: there a pair is one
    // line, as strong as the stronger direction, and only strong ones have heads; it takes a third of the time.
    const quiet = pairs.length / 2 > 3000, many = n > 400;
    for (let k = 0; k < pairs.length / 2; k++) {
      if (absent.size && (absent.has(pairs[2 * k]) || absent.has(pairs[2 * k + 1]))) continue;
      const t = traffic.length ? Math.sqrt(traffic[k] / most) : 0, a = pairs[2 * k], b = pairs[2 * k + 1];
      const near = !some || (lit.has(a) && lit.has(b));
      if (t === 0 && (quiet || !near)) continue;
      if (many && traffic.length && back[k] >= 0 && (traffic[back[k]] > traffic[k] || (traffic[back[k]] === traffic[k] && back[k] < k))) continue;
      pen.globalAlpha = (near ? 1 : 0.15) * (t > 0 ? 0.18 + 0.7 * t : 0.12);
      pen.strokeStyle = pen.fillStyle = t > 0 ? paint.accent : paint.ink;
      arrow(fx(a), fy(a), fx(b), fy(b), radius(b) + 1, t, 0.6 + (many ? 2 : 4) * t * t, many ? 0 : 2.2, t > (many ? 0.6 : 0.08));
    }
  }

  // A channel that was closed by hand: a broken line with a bar across it.
  function barred(fx, fy) {
    pen.globalAlpha = 1; pen.strokeStyle = paint.ink; pen.lineWidth = 1.4;
    for (let k = 0; k + 1 < data.closed.length; k += 2) {
      const a = data.closed[k], b = data.closed[k + 1], x = (fx(a) + fx(b)) / 2, y = (fy(a) + fy(b)) / 2;
      const long = Math.hypot(fx(b) - fx(a), fy(b) - fy(a)) || 1, ux = (fx(b) - fx(a)) / long, uy = (fy(b) - fy(a)) / long;
      pen.setLineDash([3, 4]);
      pen.beginPath(); pen.moveTo(fx(a), fy(a)); pen.lineTo(fx(b), fy(b)); pen.stroke();
      pen.setLineDash([]);
      pen.beginPath(); pen.moveTo(x - 7 * uy, y + 7 * ux); pen.lineTo(x + 7 * uy, y - 7 * ux); pen.stroke();
    }
  }

  function agents(fx, fy, some) {
    const { n, lit, removed, severed, selected, palette, names, absent } = data;
    pen.textAlign = "center";
    pen.font = "11px system-ui, sans-serif";
    for (let i = 0; i < n; i++) {
      if (absent.has(i)) continue;
      const x = fx(i), y = fy(i), r = radius(i), c = data.colours.length === n ? data.colours[i] : 0;
      const bright = !some || lit.has(i), gone = removed.has(i);
      pen.globalAlpha = bright ? 1 : 0.2;
      pen.fillStyle = c ? palette[(c - 1) % palette.length] : paint.plain;
      outline(pen, c, x, y, r);
      if (gone) { pen.strokeStyle = paint.ink; pen.lineWidth = 1.2; pen.setLineDash([2, 2]); pen.stroke(); pen.setLineDash([]); }
      else pen.fill();
      if (gone) { pen.beginPath(); pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x + r, y - r); pen.lineTo(x - r, y + r); pen.stroke(); }
      if (severed.has(i)) {
        pen.strokeStyle = paint.ink; pen.lineWidth = 1.4; pen.setLineDash([3, 3]);
        pen.beginPath(); pen.arc(x, y, r + 6, 0, ROUND); pen.stroke(); pen.setLineDash([]);
      }
      if (i === selected || (some && bright)) {
        pen.strokeStyle = paint.ink; pen.lineWidth = i === selected ? 2.6 : 1.2;
        outline(pen, c, x, y, r + (i === selected ? 2 : 0)); pen.stroke();
      }
    }
    for (let i = 0; i < n; i++) {
      const bright = !some || lit.has(i);
      if (absent.has(i)) continue;
      if (n <= 80 || i === selected || (some && bright && lit.size <= 60)) {
        pen.globalAlpha = bright ? 1 : 0.3;
        const x = fx(i), y = fy(i) - radius(i) - 3, text = names[i] || "";
        pen.lineWidth = 3; pen.strokeStyle = paint.ground; pen.strokeText(text, x, y);
        pen.fillStyle = paint.ink; pen.fillText(text, x, y);
      }
    }
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, w = box.clientWidth, h = box.clientHeight;
    if (!w || !h) return;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio); canvas.height = Math.round(h * ratio);
    }
    const style = getComputedStyle(box);
    paint = { ink: style.color, ground: style.getPropertyValue("--ground") || "#fff",
      accent: style.getPropertyValue("--accent") || "#0072B2", plain: style.getPropertyValue("--plain") || "#8a929b" };
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, w, h);
    const [left, top, wide, high] = frame(w, h), p = data.places;
    const fx = (i) => left + p[2 * i] * wide, fy = (i) => top + p[2 * i + 1] * high;
    const some = data.lit.size > 0;
    links(fx, fy, some);
    barred(fx, fy);
    agents(fx, fy, some);
    pen.globalAlpha = 1;
    drawn += 1;
    canvas.dataset.drawn = drawn;
    canvas.dataset.lit = data.lit.size;
    canvas.dataset.agents = data.n;
    canvas.dataset.severed = data.severed.size;
    canvas.dataset.closed = data.closed.length / 2;
    canvas.dataset.selected = data.selected;
  }

  function nearest(event) {
    const r = canvas.getBoundingClientRect(), x = event.clientX - r.left, y = event.clientY - r.top;
    const [left, top, wide, high] = frame(r.width, r.height);
    let best = -1, gap = 12;
    for (let i = 0; i < data.n; i++) {
      if (data.absent.has(i)) continue;
      const d = Math.hypot(left + data.places[2 * i] * wide - x, top + data.places[2 * i + 1] * high - y) - radius(i);
      if (d < gap) { gap = d; best = i; }
    }
    return best;
  }

  function choose(i) {
    data.selected = i;
    model.set("selected", i);
    model.save_changes();
    ask();
  }

  canvas.addEventListener("mousemove", (event) => {
    const i = nearest(event);
    tip.style.display = i < 0 ? "none" : "block";
    canvas.style.cursor = i < 0 ? "default" : "pointer";
    if (i < 0) return;
    const r = canvas.getBoundingClientRect();
    const count = data.loads.length === data.n ? Math.round(data.loads[i]) : 0;
    tip.textContent = `agent ${data.names[i]}: ${count} events ${data.since}` + (data.removed.has(i) ? ", taken out" : "") + (data.severed.has(i) ? ", cut off" : "");
    tip.style.left = Math.min(event.clientX - r.left + 12, r.width - 190) + "px";
    tip.style.top = event.clientY - r.top + 12 + "px";
  });
  canvas.addEventListener("mouseleave", () => { tip.style.display = "none"; });
  canvas.addEventListener("click", (event) => { const i = nearest(event); choose(i === data.selected ? -1 : i); });
  canvas.addEventListener("keydown", (event) => {
    const step = { "]": 1, "[": -1, Escape: 0 }[event.key];
    if (step === undefined || !data.n) return;
    choose(step ? (Math.max(data.selected, step > 0 ? -1 : 0) + step + data.n) % data.n : -1);
    event.preventDefault(); event.stopPropagation();
  });
  for (const [name, reader] of Object.entries(readers)) {
    reader();
    model.on("change:" + name, () => { reader(); ask(); });
  }
  const watch = new ResizeObserver(ask);
  watch.observe(box);
  // A change of theme changes colours only; the box tells of it by its own colour.
  box.addEventListener("transitionend", ask);
  const themes = new MutationObserver(ask);
  const app = document.querySelector(".v-application") || document.body;
  themes.observe(app, { attributes: true, attributeFilter: ["class"] });
  ask();
  return () => { watch.disconnect(); themes.disconnect(); };
}

export default { render };
