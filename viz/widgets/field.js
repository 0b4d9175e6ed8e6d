// Draws a large population as a square of cells, the busier the stronger; one cell may stand for several agents.
function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "swarm-field";
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  const tip = document.createElement("div");
  tip.className = "swarm-tip";
  box.append(canvas, tip);
  el.append(box);
  const pen = canvas.getContext("2d");
  let asked = false, drawn = 0;

  function rgb(text) {
    pen.fillStyle = text.trim();
    const hex = pen.fillStyle;
    return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  }
  function bytes(name) {
    const v = model.get(name);
    return v && v.byteLength ? new Uint8Array(v.buffer, v.byteOffset, v.byteLength) : new Uint8Array(0);
  }
  function ask() {
    if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); }
  }
  function draw() {
    const side = model.get("side"), level = bytes("level"), marks = bytes("marks");
    canvas.setAttribute("aria-label", model.get("caption"));
    if (!side || level.length < side * side) return;
    if (canvas.width !== side) { canvas.width = side; canvas.height = side; }
    const room = Math.min(box.clientWidth, model.get("height"));
    canvas.style.width = canvas.style.height = room + "px";
    const style = getComputedStyle(box);
    const ground = rgb(style.getPropertyValue("--ground") || "#ffffff"), plain = rgb(style.getPropertyValue("--field") || "#e6eaee");
    const accent = rgb(style.getPropertyValue("--accent") || "#0072B2"), palette = model.get("palette").map(rgb);
    const image = pen.createImageData(side, side), out = image.data;
    for (let k = 0; k < side * side; k++) {
      const v = level[k];
      // 255 is an empty cell; marks: 0 plain, 1 dimmed, from 2 the colours of roles.
      const m = marks.length ? marks[k] : 0, full = m >= 2 ? palette[(m - 2) % palette.length] : accent;
      const share = v === 255 ? 0 : (v / 254) * (m === 1 ? 0.25 : 1), base = v === 255 ? ground : plain;
      const floor = m >= 2 && v !== 255 ? 0.45 + 0.55 * share : share;
      for (let c = 0; c < 3; c++) out[4 * k + c] = base[c] + (full[c] - base[c]) * floor;
      out[4 * k + 3] = 255;
    }
    pen.putImageData(image, 0, 0);
    drawn += 1;
    canvas.dataset.drawn = drawn;
    canvas.dataset.agents = model.get("agents");
  }
  function cell(event) {
    const r = canvas.getBoundingClientRect(), side = model.get("side");
    const x = Math.floor(((event.clientX - r.left) / r.width) * side), y = Math.floor(((event.clientY - r.top) / r.height) * side);
    return x < 0 || y < 0 || x >= side || y >= side ? -1 : y * side + x;
  }
  canvas.addEventListener("click", (event) => { model.set("picked", cell(event)); model.save_changes(); });
  canvas.addEventListener("mousemove", (event) => {
    const k = cell(event), level = bytes("level");
    const some = k >= 0 && level[k] !== undefined && level[k] !== 255;
    tip.style.display = some ? "block" : "none";
    if (!some) return;
    const r = box.getBoundingClientRect();
    tip.textContent = model.get("tip");
    tip.style.left = Math.min(event.clientX - r.left + 12, r.width - 200) + "px";
    tip.style.top = event.clientY - r.top + 12 + "px";
  });
  canvas.addEventListener("mouseleave", () => { tip.style.display = "none"; });
  for (const name of ["side", "level", "marks", "palette", "height", "caption", "agents"]) model.on("change:" + name, ask);
  const watch = new ResizeObserver(ask);
  watch.observe(box);
  const themes = new MutationObserver(ask);
  themes.observe(document.querySelector(".v-application") || document.body, { attributes: true, attributeFilter: ["class"] });
  ask();
  return () => { watch.disconnect(); themes.disconnect(); };
}

export default { render };
