// The rating view: five keys, one picture after the other, round after round. The server keeps everything.

import { Problem, tell } from "./ask.js";
import { Detail } from "./detail.js";
import { command, element, find, show_problem } from "./element.js";
import { Grid } from "./grid.js";
import { map_keys } from "./keys.js";

const RATINGS = [
  { key: "1", value: -1, short: "−1", name: "no" },
  { key: "2", value: -0.5, short: "−½", name: "rather not" },
  { key: "3", value: 0, short: "0", name: "cannot tell" },
  { key: "4", value: 0.5, short: "+½", name: "rather yes" },
  { key: "5", value: 1, short: "+1", name: "yes" },
];
const work = find("work").dataset;
const who = { collection: work.collection, prompt: work.prompt, to: work.to };
const grid = new Grid(find("grid"), { height: 200, open: (hit) => detail.show(hit), decorate });
const detail = new Detail({ step: step_detail, close: close_detail, buttons: value_buttons });
grid.list.classList.toggle("texts", who.collection.endsWith("-texts"));
let state = null;
let queue = Promise.resolve(); // one step after the other, in the order of the keys
let last = 0; // number of the last step that changes something; answers to those before it are out of date

function send(step, body = {}) {
  const sent = queue.then(() => tell(`/api/rounds/${step}`, { ...who, ...body }));
  queue = sent.catch(() => {});
  return sent;
}

async function take(step, body = {}) {
  const number = ++last;
  try {
    const answer = await send(step, body);
    show_problem(find("problem"), null);
    if (number === last) update(answer);
    return answer;
  } catch (problem) {
    show_problem(find("problem"), problem);
    if (state && step !== "open") update(await send("open").catch(() => state));
    return null;
  }
}

function update(next) {
  const fresh = !state || state.round !== next.round || page_of(state) !== page_of(next);
  state = next;
  if (fresh) {
    grid.show(state.page);
    scrollTo({ top: 0 });
    grid.go(first_unrated(-1) ?? 0);
    show_best();
  } else {
    grid.tiles.forEach((tile, place) => dress(tile, grid.hits[place]));
  }
  tell_progress();
}

const page_of = ({ page }) => page.map(({ id }) => id).join("\n");
const is_rated = (hit) => hit.id in state.ratings;

function first_unrated(after) {
  const places = [...grid.hits.keys()];
  const next = [...places.slice(after + 1), ...places.slice(0, after + 1)].find((place) => !is_rated(grid.hits[place]));
  return next ?? null;
}

function decorate(tile, hit) {
  tile.querySelector(".bar")?.remove();
  tile.append(element("span", { class: "badge", "aria-hidden": "true" }));
  dress(tile, hit);
}

function dress(tile, hit) {
  const rating = RATINGS.find(({ value }) => value === state.ratings[hit.id]);
  tile.classList.toggle("rated", Boolean(rating));
  tile.classList.toggle("yes", Boolean(rating) && rating.value > 0);
  tile.classList.toggle("no", Boolean(rating) && rating.value < 0);
  tile.querySelector(".badge").textContent = rating?.short ?? "";
  tile.setAttribute("aria-label", `${hit.captions[0] ?? hit.id}, ${rating ? `rated ${rating.name}` : "not rated"}`);
}

function rate(rating) {
  const hit = detail.open ? detail.hit : grid.hits[grid.current];
  if (!hit) return;
  state.ratings[hit.id] = rating.value;
  state.can_undo = true;
  const place = grid.hits.findIndex(({ id }) => id === hit.id);
  dress(grid.tiles[place], hit);
  take("rate", { id: hit.id, value: rating.value }).then(() => best_soon());
  tell_progress();
  const next = first_unrated(place);
  if (detail.open && next !== null) detail.show(grid.hits[next]);
  else detail.hide();
  if (next !== null) detail.open ? grid.mark(next) : grid.go(next);
  else {
    find("next").focus();
    say("All of this page are rated: n brings the next round.");
  }
}

async function undo() {
  if (!state) return;
  detail.hide();
  await queue; // what was just typed is in its answers
  if (!state.can_undo) return;
  const before = { ...state.ratings };
  const answer = await take("undo");
  if (!answer) return;
  const changed = grid.hits.findIndex(({ id }) => before[id] !== answer.ratings[id]);
  if (changed >= 0) grid.go(changed);
  else say("A rating of an earlier round was taken back.");
  best_soon();
}

async function next_round() {
  detail.hide();
  find("next").disabled = true;
  await take("next");
  find("next").disabled = false;
}

async function finish() {
  detail.hide();
  const answer = await take("finish");
  if (answer) show_done(answer.made);
}

function tell_progress() {
  const rated = grid.hits.filter(is_rated).length;
  const count = (number, word) => `${number.toLocaleString("en")} ${word}`;
  find("facts").replaceChildren(
    element("span", {}, `round ${state.round}`),
    element("span", {}, `${rated} of ${grid.hits.length} on this page`),
    element("span", {}, `${count(state.rated, "rated")} in all: ${count(state.positives, "yes")}, ${count(state.negatives, "no")}`),
  );
  find("progress").value = grid.hits.length ? rated / grid.hits.length : 1;
  find("between").replaceChildren(...between(rated));
  find("undo").disabled = !state.can_undo;
  find("finish").disabled = state.rated === 0;
}

function between(rated) {
  const key = (name) => element("kbd", {}, name);
  if (!grid.hits.length) return [element("p", { class: "note" }, "Every picture of the collection was shown. ", key("d"), " makes the classifier.")];
  if (rated < grid.hits.length) return [];
  return [element("p", { class: "note" }, "All of this page are rated. ", key("n"), " brings the next round, ", key("d"), " makes the classifier.")];
}

let soon = null;
function best_soon() {
  clearTimeout(soon);
  soon = setTimeout(show_best, 700);
}

async function show_best() {
  try {
    const { best } = await send("best");
    const rows = best.map((hit) => {
      const image = element("img", { src: hit.picture, alt: hit.captions[0] ?? hit.id, loading: "lazy" });
      return element("li", {}, element("button", { type: "button", title: hit.captions[0] ?? hit.id, onclick: () => detail.show(hit) }, image));
    });
    find("found").replaceChildren(...rows);
    find("found-note").textContent = state.rated ? "The best of the whole collection, by your ratings." : "The nearest to the words; ratings will sort them.";
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    show_problem(find("problem"), problem);
  }
}

function step_detail(way) {
  const place = grid.hits.findIndex(({ id }) => id === detail.hit.id);
  const next = grid.hits[place + way];
  if (place < 0 || !next) return;
  grid.mark(place + way);
  detail.show(next);
}

function close_detail() {
  detail.hide();
  grid.go(grid.current);
}

function percent({ value, low, high }) {
  const whole = (share) => Math.round(share * 100);
  return [element("strong", {}, `${whole(value)} %`), element("span", { class: "facts" }, ` ${whole(low)}–${whole(high)} %`)];
}

function show_done(made) {
  const dialog = find("done");
  const figure = (name, value, estimate, note) => element("div", {}, element("dt", {}, name), element("dd", {}, ...(estimate ? percent(estimate) : [value])), element("dd", { class: "note" }, note));
  const told = made.precision && made.recall
    ? [
        figure("precision", null, made.precision, "of what it takes is right"),
        figure("recall", null, made.recall, "of what is right it takes"),
      ]
    : [element("p", { class: "note" }, "How good it is cannot be said yet: rate some that are and some that are not.")];
  dialog.replaceChildren(
    element("h2", { id: "done-title" }, `${made.name} is ready`),
    element("p", {}, `Made from ${made.ratings} ratings. Expected at the threshold, with 80 % intervals:`),
    element("dl", { class: "figures" }, figure("threshold", element("strong", {}, made.threshold.toFixed(3).replace("-", "−")), null, "the score from which it says yes"), ...told),
    element("p", {}, "Sort the whole collection with it, best first:"),
    command(made.command),
    element("form", { method: "dialog", class: "actions" }, element("button", { class: "main", autofocus: true }, "Go on rating"), element("a", { href: "/project" }, "To the project")),
  );
  dialog.showModal();
}

function ask_reset() {
  const dialog = find("done");
  const again = async () => {
    dialog.close();
    await take("reset");
    say("Begun anew. The old ratings lie beside, under a dated name.");
  };
  dialog.replaceChildren(
    element("h2", { id: "done-title" }, "Start over?"),
    element("p", {}, `All ${state.rated} ratings are set aside, and every picture counts as not seen.`),
    element("form", { method: "dialog", class: "actions" }, element("button", { type: "button", class: "main", onclick: again }, "Start over"), element("button", { autofocus: true }, "Keep on")),
  );
  dialog.showModal();
}

function say(text) {
  find("told").textContent = text;
  setTimeout(() => (find("told").textContent = ""), 3500);
}

function value_buttons() {
  const made = RATINGS.map((rating) =>
    element("button", { type: "button", class: "value", onclick: () => rate(rating) }, element("kbd", {}, rating.key), element("span", {}, rating.name)),
  );
  return element("div", { class: "values" }, ...made);
}

function buttons() {
  const button = (id, key, name, does, kind = "") => element("button", { type: "button", id, class: kind, onclick: does }, name, " ", element("kbd", {}, key));
  find("rate").replaceChildren(
    element("progress", { id: "progress", max: "1", value: "0", "aria-label": "Rated of this page" }),
    value_buttons(),
    element("div", { class: "steps" }, button("undo", "u", "Undo", undo), button("next", "n", "Next round", next_round), button("finish", "d", "Done", finish, "main"), element("button", { type: "button", class: "quiet", onclick: ask_reset }, "Start over …")),
  );
}

buttons();
map_keys([
  ...RATINGS.map((rating) => [rating.key, rating.name, () => rate(rating)]),
  ["u", "undo the last rating", undo],
  ["n Enter", "next round", next_round],
  ["d", "done: make the classifier", finish],
  ["← → ↑ ↓", "from picture to picture", (event) => grid.move(event.key)],
  ["Space", "the picture, large; the keys 1 to 5 work there too", () => grid.hits[grid.current] && detail.show(grid.hits[grid.current])],
  ["Esc", "close", null],
  ...RATINGS.map((rating) => [rating.key, "", () => rate(rating), "detail"]),
  ["u", "", undo, "detail"],
  ["← ↑", "", () => step_detail(-1), "detail"],
  ["→ ↓", "", () => step_detail(1), "detail"],
  ["Space", "", close_detail, "detail"],
]);
document.body.classList.add("busy");
take("open").finally(() => document.body.classList.remove("busy"));
