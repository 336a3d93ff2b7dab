// The search field: chips that can be turned and removed, words, and pictures that are dropped, pasted or picked.

import { Problem, tell } from "./ask.js";
import { element, find, show_problem, sign } from "./element.js";
import { can_turn, turned, with_term, with_typed, without_term } from "./query.js";

const MOST = 40 * 2 ** 20; // bytes

export class Field {
  // `changed(query)` is called with the new query; `collection()` names the one that ids belong to.
  constructor(changed, collection) {
    this.changed = changed;
    this.collection = collection;
    this.query = { terms: [], k: 60 };
    this.box = find("box");
    find("field").addEventListener("submit", (event) => {
      event.preventDefault();
      const typed = this.box.value.trim();
      this.box.value = "";
      if (typed) this.changed(with_typed(this.query, typed));
    });
    this.box.addEventListener("keydown", (event) => this.typed(event));
    find("pick").addEventListener("change", (event) => this.give(event.target.files[0]));
    this.listen_to_pictures();
  }

  typed(event) {
    const last = this.query.terms.filter(({ kind }) => kind !== "where").at(-1);
    if (event.key === "Backspace" && !this.box.value && last) {
      event.preventDefault();
      this.changed(without_term(this.query, last));
    }
    if (event.key === "Escape") this.box.blur();
  }

  listen_to_pictures() {
    let depth = 0;
    const over = (on) => document.body.classList.toggle("dropping", on);
    addEventListener("dragenter", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      depth += 1;
      over(true);
    });
    addEventListener("dragleave", () => {
      depth = Math.max(0, depth - 1);
      over(depth > 0);
    });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      over(false);
      this.give(event.dataTransfer.files[0]);
    });
    addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files ?? [])][0];
      if (file) event.preventDefault();
      this.give(file);
    });
  }

  async give(file) {
    if (!file) return;
    try {
      if (file.size > MOST) throw new Problem(`A picture of ${Math.round(file.size / 2 ** 20)} MB is too large.`, "at most 40 MB");
      const { picture } = await tell("/api/pictures", { data: await base64(file) });
      const filters = this.query.terms.filter(({ kind }) => kind === "where");
      this.changed(with_term({ terms: filters, k: 60 }, { kind: "picture", value: picture }));
    } catch (problem) {
      show_problem(find("problem"), problem);
    }
  }

  show(query) {
    this.query = query;
    const chips = query.terms.map((term) => [term, this.chip(term)]);
    find("chips").replaceChildren(...chips.filter(([term]) => term.kind !== "where").map(([, chip]) => chip));
    find("filters")?.replaceChildren(...chips.filter(([term]) => term.kind === "where").map(([, chip]) => chip));
    const any = query.terms.some(({ kind }) => kind !== "where");
    this.box.placeholder = any ? "new words, +words, −words" : "Words, or drop a picture";
  }

  chip(term) {
    const against = term.kind === "minus" || term.kind === "unlike";
    const name = { like: "picture", unlike: "picture", picture: "dropped picture" }[term.kind] ?? term.value;
    const turn = can_turn(term) && element("button", {
      type: "button", class: "turn", title: against ? "Look for it instead" : "Take it away instead",
      "aria-label": `${against ? "Look for" : "Take away"} ${name}`, onclick: () => this.changed(turned(this.query, term)),
    }, against ? "−" : "+");
    const image = this.image(term);
    return element(
      "span",
      { class: `chip ${term.kind}${against ? " against" : ""}`, title: term.value },
      turn || null,
      image ? element("img", { src: image, alt: name }) : this.words(term),
      element("button", {
        type: "button", class: "remove", "aria-label": `Remove ${name}`, onclick: () => this.changed(without_term(this.query, term)),
      }, sign("close")),
    );
  }

  words(term) {
    if (term.kind === "where") return element("code", {}, term.value);
    const edit = () => {
      this.box.value = term.kind === "minus" ? `−${term.value}` : term.value;
      this.changed(without_term(this.query, term), true);
      this.box.focus();
    };
    return element("button", { type: "button", class: "text", title: "Change these words", onclick: edit }, term.value);
  }

  image(term) {
    if (term.kind === "picture") return `/pictures/dropped/${encodeURIComponent(term.value)}`;
    if (term.kind !== "like" && term.kind !== "unlike") return null;
    return `/pictures/collections/${encodeURIComponent(this.collection())}?${new URLSearchParams({ id: term.value })}`;
  }
}

async function base64(file) {
  const address = await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
  return address.slice(address.indexOf(",") + 1);
}
