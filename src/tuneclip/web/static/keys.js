// One map of keys a view: what the keys do and what the page tells of them come from the same rows.

import { element, find } from "./element.js";

let rows = [];

// Each row: [key, what it does, function]; a row without a function is only told of. Keys are ignored while typing.
export function map_keys(mapped) {
  rows = [...mapped, ["?", "this map", show_keys]];
  document.addEventListener("keydown", pressed);
  find("keys")?.addEventListener("click", show_keys);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.matches("input:not([type=checkbox]), textarea, select")) return;
  const open = document.querySelector("dialog[open]");
  for (const [key, , work, inside] of rows) {
    if (!work || !key.split(" ").some((each) => (NAMES[each] ?? each) === event.key)) continue;
    if (open && open.id !== inside) continue;
    if (event.target.matches("button, a") && (event.key === "Enter" || event.key === " ") && !event.target.matches(".tile")) continue;
    event.preventDefault();
    work(event);
    return;
  }
}

const NAMES = { Space: " ", "←": "ArrowLeft", "→": "ArrowRight", "↑": "ArrowUp", "↓": "ArrowDown", Esc: "Escape" };

export function show_keys() {
  const dialog = find("key-map");
  if (dialog.open) return dialog.close();
  const told = rows.filter(([, what]) => what);
  dialog.replaceChildren(
    element("h2", { id: "key-map-title" }, "Keys"),
    element(
      "dl",
      {},
      ...told.flatMap(([key, what]) => [
        element("dt", {}, ...key.split(" ").map((each) => element("kbd", {}, each))),
        element("dd", {}, what),
      ]),
    ),
    element("form", { method: "dialog" }, element("button", { class: "main" }, "Close")),
  );
  dialog.showModal();
}
