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
    if (text && navigator.clipboard) navigator.clipboard.writeText(text.slice(text.indexOf("\n") + 1)).catch(() => {});
  }
  document.addEventListener("keydown", press);
  model.on("change:theme", keep);
  model.on("change:copied", copy);
  let theme = "";
  try { theme = localStorage.getItem(STORE) || ""; } catch (error) { /* private windows keep nothing */ }
  if (!theme) theme = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  model.set("first", theme);
  model.save_changes();
  return () => document.removeEventListener("keydown", press);
}

export default { render };
