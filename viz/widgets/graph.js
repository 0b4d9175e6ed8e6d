// Draws agents and links on one canvas; places never jump, widths and sizes follow the data.
// Okabe and Ito's palette; each colour goes with a shape, so that nothing rests on colour alone.
const PALETTE = ["#999999", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B8A800"];
const ROUND = 2 * Math.PI;

function floats(view) {
  if (!view || view.byteLength === 0) return new Float32Array(0);
  const copy = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  return new Float32Array(copy);
}

function mark(pen, shape, x, y, r) {
  pen.beginPath();
  if (shape === 0) pen.arc(x, y, r, 0, ROUND);
  else if (shape === 1) pen.rect(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r);
  else {
    const corners = [0, 0, 3, 4, 5, 6, 8, 3][shape] || 3;
    const turn = shape === 7 ? Math.PI / 2 : -Math.PI / 2;
    for (let k = 0; k < corners; k++) {
      const a = turn + (ROUND * k) / corners;
      pen[k ? "lineTo" : "moveTo"](x + 1.15 * r * Math.cos(a), y + 1.15 * r * Math.sin(a));
    }
    pen.closePath();
  }
}

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "swarm-graph";
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  const tip = document.createElement("div");
  tip.className = "tip";
  box.append(canvas, tip);
  el.append(box);
  const pen = canvas.getContext("2d");
  let data = {}, asked = false, drawn = 0;

  function read() {
    const places = floats(model.get("places"));
    data = {
      places, n: places.length / 2, links: floats(model.get("links")), traffic: floats(model.get("traffic")),
      loads: floats(model.get("loads")), colours: floats(model.get("colours")), names: model.get("names"),
      words: model.get("words"), lit: new Set(model.get("lit")), selected: model.get("selected"),
    };
    box.style.height = model.get("height") + "px";
    canvas.setAttribute("aria-label", model.get("caption"));
    ask();
  }

  function ask() {
    if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); }
  }

  function at(i, w, h) {
    const m = 26;
    return [m + data.places[2 * i] * (w - 2 * m), m + data.places[2 * i + 1] * (h - 2 * m)];
  }

  function radius(i) {
    const size = data.n > 400 ? 3 : data.n > 150 ? 4.5 : 7;
    const load = data.loads.length === data.n ? Math.min(data.loads[i], 25) : 0;
    return size * (1 + 0.22 * Math.sqrt(load));
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, w = box.clientWidth, h = box.clientHeight;
    if (!w || !h) return;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio); canvas.height = Math.round(h * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, w, h);
    const ink = getComputedStyle(box).color;
    const some = data.lit.size > 0;
    let most = 1e-9;
    for (const t of data.traffic) most = Math.max(most, t);
    for (let k = 0; k < data.links.length / 2; k++) {
      const t = data.traffic.length ? data.traffic[k] / most : 0;
      const a = data.links[2 * k], b = data.links[2 * k + 1];
      const near = some ? data.lit.has(a) && data.lit.has(b) : true;
      if (t < 0.004 && !near && some) continue;
      const [x0, y0] = at(a, w, h), [x1, y1] = at(b, w, h);
      const length = Math.hypot(x1 - x0, y1 - y0) || 1, rb = radius(b) + 1;
      const ux = (x1 - x0) / length, uy = (y1 - y0) / length;
      pen.globalAlpha = (near ? 1 : 0.18) * (t > 0 ? 0.25 + 0.6 * t : 0.08);
      pen.strokeStyle = pen.fillStyle = t > 0 ? "#0072B2" : ink;
      pen.lineWidth = 0.6 + 4 * t;
      // Both directions of a pair run beside each other.
      const ox = -uy * 2, oy = ux * 2, ex = x1 - ux * rb + ox, ey = y1 - uy * rb + oy;
      pen.beginPath(); pen.moveTo(x0 + ox, y0 + oy); pen.lineTo(ex, ey); pen.stroke();
      if (t > 0.05) {
        const s = 4 + 3 * t;
        pen.beginPath(); pen.moveTo(ex, ey);
        pen.lineTo(ex - ux * s - uy * s * 0.5, ey - uy * s + ux * s * 0.5);
        pen.lineTo(ex - ux * s + uy * s * 0.5, ey - uy * s - ux * s * 0.5);
        pen.fill();
      }
    }
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "center";
    for (let i = 0; i < data.n; i++) {
      const [x, y] = at(i, w, h), r = radius(i), c = data.colours.length === data.n ? data.colours[i] : 0;
      const bright = !some || data.lit.has(i);
      pen.globalAlpha = bright ? 1 : 0.22;
      pen.fillStyle = PALETTE[c % PALETTE.length];
      mark(pen, c % PALETTE.length, x, y, r);
      pen.fill();
      if (i === data.selected || (some && bright)) {
        pen.strokeStyle = ink; pen.lineWidth = i === data.selected ? 2.5 : 1.2; pen.stroke();
      }
      if (data.n <= 80 || i === data.selected || (some && bright && data.lit.size <= 60)) {
        pen.fillStyle = ink;
        pen.fillText(data.names[i] || "", x, y - r - 3);
      }
    }
    pen.globalAlpha = 1;
    drawn += 1;
    canvas.dataset.drawn = drawn;
    canvas.dataset.lit = data.lit.size;
  }

  function nearest(event) {
    const r = canvas.getBoundingClientRect(), x = event.clientX - r.left, y = event.clientY - r.top;
    let best = -1, gap = 14;
    for (let i = 0; i < data.n; i++) {
      const [px, py] = at(i, r.width, r.height), d = Math.hypot(px - x, py - y) - radius(i);
      if (d < gap) { gap = d; best = i; }
    }
    return best;
  }

  function choose(i) {
    model.set("selected", i);
    model.save_changes();
    data.selected = i;
    ask();
  }

  canvas.addEventListener("mousemove", (event) => {
    const i = nearest(event);
    tip.style.display = i < 0 ? "none" : "block";
    if (i >= 0) {
      const r = canvas.getBoundingClientRect();
      tip.textContent = (data.words && data.words[i]) || data.names[i] || "";
      tip.style.left = Math.min(event.clientX - r.left + 12, r.width - 170) + "px";
      tip.style.top = event.clientY - r.top + 12 + "px";
    }
    if (i !== model.get("hovered")) { model.set("hovered", i); model.save_changes(); }
  });
  canvas.addEventListener("mouseleave", () => { tip.style.display = "none"; });
  canvas.addEventListener("click", (event) => choose(nearest(event)));
  canvas.addEventListener("keydown", (event) => {
    const step = { "]": 1, "[": -1, Escape: 0 }[event.key];
    if (step === undefined || !data.n) return;
    choose(step ? (model.get("selected") + step + data.n) % data.n : -1);
    event.preventDefault(); event.stopPropagation();
  });
  for (const name of ["places", "names", "links", "traffic", "loads", "colours", "lit", "words", "caption", "height", "selected"])
    model.on("change:" + name, read);
  const watch = new ResizeObserver(ask);
  watch.observe(box);
  read();
  return () => watch.disconnect();
}

export default { render };
