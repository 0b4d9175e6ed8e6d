// Small line charts on one axis of time, with the moment shown, acts, and each as a table.
const NS = "http://www.w3.org/2000/svg";
function make(name, attributes, parent, text) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}
// What a stylesheet gives on the page stands in the picture itself once it is taken away.
const STYLED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-family"];
function alone(svg, heading) {
  const copy = svg.cloneNode(true), wide = +svg.getAttribute("width"), high = +svg.getAttribute("height"), head = 22;
  const here = [...svg.querySelectorAll("*")], there = [...copy.querySelectorAll("*")];
  here.forEach((node, k) => {
    const style = getComputedStyle(node);
    for (const name of STYLED) there[k].style.setProperty(name, style.getPropertyValue(name));
  });
  const style = getComputedStyle(svg), whole = make("svg", { xmlns: NS, width: wide, height: high + head, viewBox: `0 0 ${wide} ${high + head}` }, null);
  make("rect", { width: wide, height: high + head, fill: style.getPropertyValue("--ground").trim() || "#ffffff" }, whole);
  make("text", { x: 8, y: 16, fill: style.color, "font-family": style.fontFamily, "font-size": 13, "font-weight": 600 }, whole, heading);
  const part = make("g", { transform: `translate(0 ${head})` }, whole);
  part.append(...copy.childNodes);
  return new XMLSerializer().serializeToString(whole);
}
function give(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}
function take(svg, heading, name, kind) {
  const text = alone(svg, heading), address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  if (kind === "svg") { give(address, name + ".svg"); return; }
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = 2 * image.width; canvas.height = 2 * image.height;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    give(canvas.toDataURL("image/png"), name + ".png");
  };
  image.src = address;
}
const said = (v) => (v === null ? "–" : Math.abs(v) >= 1e4 ? Math.round(v).toLocaleString("en") : String(+v.toPrecision(3)));
function levels(low, high) {
  const raw = (high - low) / 3 || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999), made = [];
  for (let k = Math.floor(low / step + 1e-9); k <= Math.ceil(high / step - 1e-9); k++) made.push(k * step);
  return made.length > 1 ? made : [low, low + step];
}

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "swarm-charts";
  el.append(box);
  let charts = [], asked = false;
  const left = 46, right = 10, top = 8, high = 120, foot = 18;

  function build() {
    const lines = model.get("lines"), open = new Set([...box.querySelectorAll("details[open]")].map((d) => d.dataset.name));
    box.replaceChildren();
    charts = lines.map((line) => {
      const part = document.createElement("figure");
      part.dataset.chart = line.name;
      const head = document.createElement("figcaption");
      const name = document.createElement("span");
      name.textContent = line.title + (line.unit ? ` (${line.unit})` : "");
      head.append(name);
      head.title = line.about;
      const svg = make("svg", { role: "img", height: high }, null);
      svg.setAttribute("aria-label", `${line.title}: ${line.points.length ? said(line.points[line.points.length - 1][1]) : "no value"} at the end`);
      const table = document.createElement("details");
      table.dataset.name = line.name;
      table.open = open.has(line.name);
      table.innerHTML = "<summary>as a table</summary>";
      const rows = document.createElement("table");
      for (const [t, v] of [["time", "value"], ...line.points]) {
        const row = rows.insertRow();
        row.insertCell().textContent = typeof t === "string" ? t : said(t);
        row.insertCell().textContent = typeof v === "string" ? v : said(v);
      }
      table.append(rows);
      for (const kind of ["svg", "png"]) {
        const taken = document.createElement("button");
        taken.textContent = kind.toUpperCase();
        taken.className = "take";
        taken.dataset.take = kind;
        taken.title = `Download the chart of ${line.title} as ${kind.toUpperCase()}`;
        taken.addEventListener("click", () => take(svg, `${model.get("title")}: ${name.textContent}`, `${model.get("title")}-${line.name}`, kind));
        head.append(taken);
      }
      part.append(head, svg, table);
      box.append(part);
      svg.addEventListener("pointerdown", (event) => {
        const r = svg.getBoundingClientRect(), share = (event.clientX - r.left - left) / (r.width - left - right);
        const t = Math.max(share, 0) * model.get("end");
        model.set("cursor", t >= model.get("now") * 0.999 ? -1 : t);
        model.save_changes();
      });
      return { line, svg };
    });
    ask();
  }
  function ask() {
    if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; charts.forEach(draw); }); }
  }
  function draw({ line, svg }) {
    const wide = svg.parentElement.clientWidth || 300, end = model.get("end");
    svg.setAttribute("width", wide);
    svg.replaceChildren();
    const values = line.points.map((p) => p[1]).filter((v) => v !== null);
    const steps = levels(Math.min(0, ...values), Math.max(0, ...values) || 1), low = steps[0], most = steps[steps.length - 1];
    const x = (t) => left + (wide - left - right) * Math.min(t / end, 1);
    const y = (v) => high - foot - (high - foot - top) * (v - low) / (most - low);
    for (const v of steps) {
      make("path", { d: `M${left} ${y(v)}H${wide - right}`, class: "grid" }, svg);
      make("text", { x: left - 5, y: y(v) + 4, "text-anchor": "end" }, svg, said(v));
    }
    make("text", { x: left, y: high - 4 }, svg, "0");
    make("text", { x: wide - right, y: high - 4, "text-anchor": "end" }, svg, `time ${said(end)}`);
    for (const act of model.get("acts")) make("path", { d: `M${x(act.time)} ${top}V${high - foot}`, class: "actline" }, svg);
    let pen = "", down = false;
    for (const [t, v] of line.points) {
      if (v === null) { down = false; continue; }
      pen += `${down ? "L" : "M"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
      down = true;
    }
    if (pen) make("path", { d: pen, class: "curve" }, svg);
    for (const [t, v] of line.points) if (v !== null) make("title", {}, make("circle", { cx: x(t), cy: y(v), r: 2.4, class: "dot" }, svg), `${said(v)} at ${said(t)}`);
    const cursor = model.get("cursor"), shown = cursor < 0 ? model.get("now") : cursor;
    make("path", { d: `M${x(shown)} ${top}V${high - foot}`, class: "cursor" }, svg);
  }
  model.on("change:lines", build);
  for (const name of ["end", "now", "cursor", "acts"]) model.on("change:" + name, ask);
  const watch = new ResizeObserver(ask);
  watch.observe(box);
  build();
  return () => watch.disconnect();
}

export default { render };
