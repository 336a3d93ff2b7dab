// Two collections answer the same query; a mark shows what only one of them has.

import { ask } from "./ask.js";
import { Detail } from "./detail.js";
import { element, find, show_problem } from "./element.js";
import { Field } from "./field.js";
import { Grid, skeleton } from "./grid.js";
import { map_keys } from "./keys.js";
import { from_address, is_empty, like_this, to_parameters } from "./query.js";

const SIDES = ["left", "right"];
const FIRST = 40;
const field = new Field(go, () => find("left").value);
const detail = new Detail({ more: (id) => go(like_this(query, id)), step, close: () => detail.hide() });
const grids = Object.fromEntries(SIDES.map((side) => [side, new Grid(find(`${side}-grid`), { height: 150, open: (hit) => open(side, hit), decorate })]));
let query = { terms: [], k: 60 };
let opened = "left";
let both = null; // ids that both sides have

function go(next) {
  const sides = { left: find("left").value, right: find("right").value };
  history.pushState({ depth: (history.state?.depth ?? 0) + 1 }, "", `/compare?${to_parameters(next, sides)}`);
  follow();
}

async function follow() {
  detail.hide();
  query = from_address();
  const given = new URLSearchParams(location.search);
  for (const side of SIDES) if (given.get(side)) find(side).value = given.get(side);
  field.show(query);
  show_problem(find("problem"), null);
  const late = setTimeout(() => SIDES.forEach((side) => skeleton(find(`${side}-grid`), 12)), 150);
  try {
    const answers = await Promise.all(SIDES.map((side) => ask("/api/search", to_parameters({ ...query, k: FIRST }, { collection: find(side).value }))));
    present(answers);
  } catch (problem) {
    SIDES.forEach((side) => grids[side].show([]));
    find("summary").textContent = "";
    show_problem(find("problem"), problem);
  } finally {
    clearTimeout(late);
  }
}

function present(answers) {
  const ids = answers.map(({ hits }) => new Set(hits.map(({ id }) => id)));
  both = is_empty(query) ? null : ids[0].intersection ? ids[0].intersection(ids[1]) : new Set([...ids[0]].filter((id) => ids[1].has(id)));
  SIDES.forEach((side, number) => {
    grids[side].show(answers[number].hits, answers[number].scale?.median);
    find(`${side}-facts`).textContent = `by ${answers[number].model} · ${answers[number].total.toLocaleString("en")} pictures`;
  });
  find("summary").textContent = summary(answers);
}

function summary(answers) {
  if (answers[0].dataset !== answers[1].dataset) return `Two different datasets, ${answers[0].dataset} and ${answers[1].dataset}: their ids tell nothing of each other.`;
  if (is_empty(query)) return "Words or a picture: both sides answer the same.";
  const first = Math.max(answers[0].hits.length, answers[1].hits.length);
  return `${both.size} of the first ${first} are on both sides; a dot marks those that only one has.`;
}

function decorate(tile, hit) {
  if (!both) return;
  if (both.has(hit.id)) {
    for (const [begins, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]])
      tile.addEventListener(begins, () => mark_twins(hit.id, on));
    return;
  }
  tile.classList.add("only");
  tile.append(element("span", { class: "dot", title: "only on this side" }));
  tile.setAttribute("aria-label", `${tile.getAttribute("aria-label")}, only on this side`);
}

// Where the other side has the same picture.
function mark_twins(id, on) {
  for (const { hits, tiles } of Object.values(grids)) tiles[hits.findIndex((hit) => hit.id === id)]?.classList.toggle("twin", on);
}

function open(side, hit) {
  opened = side;
  detail.show(hit);
}

function step(way) {
  const { hits } = grids[opened];
  const next = hits[hits.findIndex(({ id }) => id === detail.hit.id) + way];
  if (next) detail.show(next);
}

const side = () => (find("right-grid").contains(document.activeElement) ? "right" : "left");
const under = () => grids[side()].hits[grids[side()].current];
SIDES.forEach((name) => find(name).addEventListener("change", () => go(query)));
addEventListener("popstate", follow);
map_keys([
  ["/", "to the search box", () => field.box.focus()],
  ["← → ↑ ↓", "from picture to picture", (event) => grids[side()].move(event.key)],
  ["Space Enter", "open the picture", () => under() && open(side(), under())],
  ["m", "more like this, on both sides", () => under() && go(like_this(query, under().id))],
  ["u", "undo: back to the search before", () => history.state?.depth > 0 && history.back()],
  ["x", "change to the other side", () => grids[side() === "left" ? "right" : "left"].go(0)],
  ["Esc", "close", null],
  ["← ↑", "", () => step(-1), "detail"],
  ["→ ↓", "", () => step(1), "detail"],
  ["m", "", () => go(like_this(query, detail.hit.id)), "detail"],
  ["Space", "", () => detail.hide(), "detail"],
]);
follow();
