// The search view: the address says what is looked for; everything else follows from it.

import { ask } from "./ask.js";
import { Detail } from "./detail.js";
import { element, find, show_problem } from "./element.js";
import { Field } from "./field.js";
import { Grid, skeleton } from "./grid.js";
import { map_keys } from "./keys.js";
import { equals_filter, from_address, is_empty, like_this, to_parameters, with_term } from "./query.js";

const MOST = 1200;
const collection = find("collection");
const field = new Field(go, () => collection.value);
const grid = new Grid(find("grid"), { height: 210, open: (hit) => go_detail(hit.id) });
const detail = new Detail({
  more: (id) => go(like_this(query, id)),
  less: (id) => go(with_term(query, { kind: "unlike", value: id })),
  filter: (name, value) => go(with_term(query, equals_filter(name, value))),
  step,
  close: () => (history.state?.opened ? history.back() : go_detail(null, true)),
});
let query = { terms: [], k: 60 };
let shown = ""; // the parameters that the grid shows
let asking = null;

function address(next, open) {
  const parameters = to_parameters(next, { collection: collection.value });
  if (open) parameters.set("open", open);
  return `/?${parameters}`;
}

// A new query is a new entry in the browser's history; `quiet` changes the entry that there is.
function go(next, quiet = false) {
  const state = { depth: (history.state?.depth ?? 0) + (quiet ? 0 : 1) };
  history[quiet ? "replaceState" : "pushState"](state, "", address(next));
  follow();
}

function go_detail(id, quiet = false) {
  const state = { depth: (history.state?.depth ?? 0) + (quiet ? 0 : 1), opened: !quiet };
  history[quiet ? "replaceState" : "pushState"](state, "", address(query, id));
  follow();
}

function step(way) {
  const place = grid.hits.findIndex(({ id }) => id === detail.hit.id) + way;
  if (place < 0 || place >= grid.hits.length) return;
  history.replaceState(history.state, "", address(query, grid.hits[place].id));
  follow();
}

async function follow() {
  const given = new URLSearchParams(location.search);
  if ([...collection.options].some(({ value }) => value === given.get("collection"))) collection.value = given.get("collection");
  query = from_address();
  field.show(query);
  document.title = `${query.terms.map(({ value }) => value).join(", ") || collection.value} · tuneclip`;
  const parameters = to_parameters(query, { collection: collection.value }).toString();
  if (parameters !== shown) await look(parameters);
  await follow_detail(new URLSearchParams(location.search).get("open")); // a picture may have been opened meanwhile
}

async function look(parameters) {
  asking?.abort();
  asking = new AbortController();
  const more = grid.hits.length && parameters.replace(/&k=\d+/, "") === shown.replace(/&k=\d+/, "");
  shown = parameters;
  const late = setTimeout(() => more || wait(), 150);
  try {
    const began = performance.now();
    const found = await ask("/api/search", parameters, asking.signal);
    present(found, (performance.now() - began) / 1000, more);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    shown = "";
    grid.show([]);
    find("more").hidden = true;
    find("facts").textContent = "";
    show_problem(find("problem"), problem);
  } finally {
    clearTimeout(late);
    document.body.classList.remove("busy");
  }
}

function wait() {
  document.body.classList.add("busy");
  find("facts").textContent = is_empty(query) ? "Opening the collection …" : "Looking … the first search opens the model";
  skeleton(find("grid"));
}

function present(found, seconds, more) {
  const place = grid.current;
  show_problem(find("problem"), null);
  grid.list.classList.toggle("texts", found.collection.endsWith("-texts"));
  grid.show(found.hits, found.scale?.median);
  if (more) grid.mark(place);
  else scrollTo({ top: 0 });
  const some = is_empty(query) ? `${found.total.toLocaleString("en")} pictures` : `${found.hits.length} of ${found.total.toLocaleString("en")}`;
  find("facts").textContent = [some, `by ${found.model}`, is_empty(query) ? "" : `${seconds.toFixed(2)} s`].filter(Boolean).join(" · ");
  find("more").hidden = found.hits.length >= Math.min(found.total, MOST);
  if (!found.hits.length) find("problem").replaceChildren(nothing(found));
}

function nothing(found) {
  const filtered = query.terms.some(({ kind }) => kind === "where");
  const what = filtered ? "No picture passes the filter." : "This collection is empty.";
  const next = filtered ? "Remove a filter above, or loosen it." : `Fill it: tuneclip index ${found.dataset || "DATASET"} --model ${found.model} --to ${found.collection}`;
  return element("div", { class: "empty" }, element("p", {}, element("strong", {}, what)), element("p", { class: "note" }, next));
}

async function follow_detail(id) {
  if (!id) {
    if (detail.open) {
      detail.hide();
      grid.go(Math.max(0, grid.hits.findIndex((hit) => hit.id === detail.hit.id)));
    }
    return;
  }
  let hit = grid.hits.find((each) => each.id === id);
  try {
    hit ??= await ask("/api/picture", new URLSearchParams({ collection: collection.value, id }));
    detail.show(hit);
  } catch (problem) {
    show_problem(find("problem"), problem);
  }
}

async function load_fields() {
  const { fields } = await ask("/api/fields", new URLSearchParams({ collection: collection.value }));
  const quoted = Object.entries(fields).map(([name, kinds]) => {
    const plain = /^[A-Za-z_][\w.]*$/.test(name) ? name : `\`${name}\``;
    return element("option", { value: kinds.includes("text") ? `${plain} = ''` : `${plain} = ` });
  });
  find("fields").replaceChildren(...quoted);
}

collection.addEventListener("change", () => {
  const kept = query.terms.filter(({ kind }) => kind !== "like" && kind !== "unlike");
  go({ terms: kept, k: 60 });
});
find("condition").addEventListener("focus", () => load_fields().catch(() => {}));
find("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  const value = find("condition").value.trim();
  find("condition").value = "";
  if (value) go(with_term(query, { kind: "where", value }));
});
find("more").addEventListener("click", () => go({ ...query, k: Math.min(MOST, query.k + 60) }, true));
addEventListener("popstate", follow);

const under = () => grid.hits[grid.current];
const move = (event) => grid.move(event.key);
map_keys([
  ["/", "to the search box", () => field.box.focus()],
  ["← → ↑ ↓", "from picture to picture", move],
  ["Space Enter", "open the picture", () => under() && go_detail(under().id)],
  ["m", "more like this", () => under() && go(like_this(query, under().id))],
  ["u", "undo: back to the search before", () => history.state?.depth > 0 && history.back()],
  ["Esc", "close", null],
  ["← ↑", "", () => step(-1), "detail"],
  ["→ ↓", "", () => step(1), "detail"],
  ["m", "", () => go(like_this(query, detail.hit.id)), "detail"],
  ["Space", "", () => detail.actions.close(), "detail"],
]);
follow();
