// The page's keyboard, its memory of the theme, and copying: a press of a key is a click on the button that names it.
const STORE = "swarmscope-theme";

function render({ model, el }) {
  el.style.display = "none";
  function typing(target) {
    if (!target || !target.closest) return false;
    return Boolean(target.closest("input, textarea, select, [contenteditable], [role=slider], [role=listbox], [role=option]"));
  }
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "Escape" && model.get("part")) { model.set("part", ""); model.save_changes(); return; }
    // A focused button answers space and enter itself.
    const own = event.target.closest && event.target.closest("button, a, summary, [role=button]");
    if (own && (event.key === " " || event.key === "Enter")) return;
    const key = event.key === " " ? "space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const button = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (button && !button.disabled) { event.preventDefault(); button.click(); }
  }
  function keep() {
    const theme = model.get("theme");
    try { if (theme) localStorage.setItem(STORE, theme); } catch (error) { /* private windows keep nothing */ }
  }
  function copy() {
    const text = model.get("copied");
    if (text && navigator.clipboard) navigator.clipboard.writeText(text.slice(text.indexOf("\n") + 1).replace("{page}", location.origin + location.pathname)).catch(() => {});
  }
  function save(event) {
    const button = event.target.closest && event.target.closest("[data-save=png]");
    const canvas = button && document.querySelector(".panel-picture canvas");
    if (!canvas) return;
    // The picture goes onto the ground of the page; a canvas is transparent.
    const whole = document.createElement("canvas"), pen = whole.getContext("2d"), scale = Math.max(1, Math.floor(960 / canvas.width));
    whole.width = canvas.width * scale; whole.height = canvas.height * scale;
    pen.fillStyle = getComputedStyle(canvas).getPropertyValue("--ground") || "#ffffff";
    pen.fillRect(0, 0, whole.width, whole.height);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(canvas, 0, 0, whole.width, whole.height);
    const link = document.createElement("a");
    link.href = whole.toDataURL("image/png");
    link.download = "swarmscope.png";
    link.click();
  }
  document.addEventListener("keydown", press);
  document.addEventListener("click", save);
  model.on("change:theme", keep);
  model.on("change:copied", copy);
  model.on("change:saved", () => {
    const [, name, kind] = model.get("saved").split("\n");
    if (!name) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([model.get("file")], { type: kind }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
  // What opens over the page is brought into sight, for it opens at the top.
  model.on("change:part", () => {
    if (!model.get("part")) return;
    const behaviour = window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
    // The page may scroll inside another element than the window.
    setTimeout(() => document.querySelector("[data-page=swarmscope]")?.scrollIntoView({ block: "start", behavior: behaviour }), 50);
  });
  let theme = "";
  try { theme = localStorage.getItem(STORE) || ""; } catch (error) { /* private windows keep nothing */ }
  if (!theme) theme = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  model.set("first", theme);
  model.save_changes();
  return () => { document.removeEventListener("keydown", press); document.removeEventListener("click", save); };
}

export default { render };
