// Time as one line to drag on: structures that stood, births and deaths, acts of a person, the moment that is shown.
const NS = "http://www.w3.org/2000/svg";
const SIGNS = { birth: "+", death: "×", split: "<", merge: ">" };

function make(name, attributes, parent, text) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}
function ticks(end) {
  const raw = end / 6 || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const made = [];
  for (let t = 0; t <= end * 1.0001; t += step) made.push(t);
  return made;
}
const said = (t) => (t >= 1e4 ? Math.round(t).toLocaleString("en") : String(+t.toPrecision(4)));

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "swarm-timeline";
  el.append(box);
  const svg = make("svg", { tabindex: 0, role: "slider", class: "timeline" }, box);
  let asked = false, dragging = false, sent = 0, wide = 600;
  const left = () => (model.get("lanes").length ? 118 : 12);
  const right = 14, step = 20, top = 6, foot = 40;

  function ask() {
    if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); }
  }
  function x(t) { return left() + (wide - left() - right) * Math.min(Math.max(t / model.get("end"), 0), 1); }

  function lane(one, k, chosen) {
    const y = top + k * step + step / 2;
    const group = make("g", { class: "lane" + (chosen === one.id ? " chosen" : ""), "data-structure": one.id }, svg);
    make("rect", { x: 0, y: y - step / 2, width: wide, height: step, class: "row" }, group);
    make("text", { x: 8, y: y + 4, class: "name" }, group, one.label.length > 17 ? one.label.slice(0, 16) + "…" : one.label);
    for (const [start, end, strength, present] of one.cells) {
      const h = present ? 4 + 9 * Math.min(Math.max(strength, 0), 1) : 1.5;
      make("rect", { x: x(start), y: y - h / 2, width: Math.max(x(end) - x(start) - 0.6, 0.8), height: h,
        fill: present ? one.colour : "currentColor", "fill-opacity": present ? 0.85 : 0.3 }, group);
    }
    for (const [time, kind] of one.changes) make("text", { x: x(time), y: y + 4, class: "change" }, group, SIGNS[kind] || "•");
    make("title", {}, group, one.words);
    group.addEventListener("mouseenter", () => { model.set("hovered", one.id); model.save_changes(); });
    group.addEventListener("mouseleave", () => { model.set("hovered", ""); model.save_changes(); });
  }

  function draw() {
    wide = box.clientWidth || 600;
    const lanes = model.get("lanes"), end = model.get("end"), now = model.get("now"), cursor = model.get("cursor");
    const base = top + lanes.length * step + 6, high = base + foot;
    svg.replaceChildren();
    svg.setAttribute("width", wide);
    svg.setAttribute("height", high);
    lanes.forEach((one, k) => lane(one, k, model.get("chosen")));
    make("path", { d: `M${left()} ${base}H${wide - right}`, class: "axis" }, svg);
    make("path", { d: `M${left()} ${base}H${x(now)}`, class: "past" }, svg);
    for (const t of ticks(end)) {
      make("path", { d: `M${x(t)} ${base}v5`, class: "axis" }, svg);
      make("text", { x: x(t), y: base + 18, class: "tick", "text-anchor": t === 0 ? "start" : t > end * 0.97 ? "end" : "middle" }, svg, said(t));
    }
    for (const act of model.get("acts")) {
      const mark = make("g", { class: "act" }, svg), p = x(act.time);
      make("path", { d: `M${p} ${top}V${base}`, class: "actline" }, mark);
      make("path", { d: `M${p} ${base - 1}l-5 -8h10z` }, mark);
      make("title", {}, mark, act.words);
    }
    const shown = cursor < 0 ? now : cursor;
    make("path", { d: `M${x(shown)} ${top}V${base + 5}`, class: "cursor" }, svg);
    make("circle", { cx: x(shown), cy: base, r: 6, class: "knob" + (cursor < 0 ? " live" : "") }, svg);
    make("text", { x: Math.min(Math.max(x(shown), 60), wide - 70), y: base + 34, class: "moment", "text-anchor": "middle" }, svg,
      cursor < 0 ? `now: ${said(now)}` : `looking at ${said(shown)}`);
    svg.setAttribute("aria-label", "Moment shown");
    svg.setAttribute("aria-valuemin", 0);
    svg.setAttribute("aria-valuemax", +now.toPrecision(6));
    svg.setAttribute("aria-valuenow", +shown.toPrecision(6));
    svg.setAttribute("aria-valuetext", cursor < 0 ? `now, time ${said(now)}` : `time ${said(shown)} of ${said(now)}`);
    svg.dataset.lanes = lanes.length;
    svg.dataset.acts = model.get("acts").length;
  }
  function send(t, last) {
    const now = model.get("now"), made = t >= now * 0.999 ? -1 : Math.max(t, 0);
    const moment = performance.now();
    if (!last && moment - sent < 80) return;
    sent = moment;
    model.set("cursor", made);
    model.save_changes();
    ask();
  }
  function at(event) {
    const r = svg.getBoundingClientRect();
    return ((event.clientX - r.left - left()) / (wide - left() - right)) * model.get("end");
  }
  svg.addEventListener("pointerdown", (event) => {
    const laneOf = event.target.closest(".lane");
    if (laneOf && event.clientX - svg.getBoundingClientRect().left < left()) {
      const id = laneOf.dataset.structure;
      model.set("chosen", model.get("chosen") === id ? "" : id);
      model.save_changes();
      return;
    }
    dragging = true; svg.setPointerCapture(event.pointerId); send(at(event), true);
  });
  svg.addEventListener("pointermove", (event) => { if (dragging) send(at(event), false); });
  svg.addEventListener("pointerup", (event) => { if (dragging) { dragging = false; send(at(event), true); } });
  svg.addEventListener("keydown", (event) => {
    const now = model.get("now"), shown = model.get("cursor") < 0 ? now : model.get("cursor");
    const move = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1 }[event.key];
    if (move !== undefined) send(shown + move * now, true);
    else if (event.key === "Home") send(0, true);
    else if (event.key === "End" || event.key === "Escape") send(now, true);
    else return;
    event.preventDefault(); event.stopPropagation();
  });
  for (const name of ["end", "now", "cursor", "lanes", "acts", "chosen"]) model.on("change:" + name, ask);
  const watch = new ResizeObserver(ask);
  watch.observe(box);
  ask();
  return () => watch.disconnect();
}

export default { render };
