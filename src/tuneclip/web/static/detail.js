// One picture, large, with all that is known of it. It stands in the address too (`open`), so back closes it.

import { element, find, sign } from "./element.js";

export class Detail {
  // `actions`: more(id), less(id), filter(name, value), step(way), close(); those that are missing have no button.
  constructor(actions) {
    this.actions = actions;
    this.dialog = find("detail");
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.actions.close();
    });
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.actions.close();
    });
  }

  get open() {
    return this.dialog.open;
  }

  show(hit) {
    this.hit = hit;
    const title = hit.captions[0] ?? hit.id;
    const large = new Image();
    large.alt = title;
    large.src = `${hit.picture}&size=large`;
    if (hit.width) [large.width, large.height] = [hit.width, hit.height];
    this.dialog.replaceChildren(
      element("div", { class: "stage" }, hit.width ? large : element("p", {}, "This picture cannot be shown."), ...this.steps()),
      element("div", { class: "about" }, this.close_button(), element("h2", {}, title), ...this.facts(hit).filter(Boolean), this.buttons(hit), metadata(hit, this.actions)),
    );
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.querySelector(".close").focus();
  }

  hide() {
    if (this.dialog.open) this.dialog.close();
  }

  close_button() {
    return element("button", { type: "button", class: "quiet close", "aria-label": "Close", onclick: () => this.actions.close() }, sign("close"));
  }

  steps() {
    if (!this.actions.step) return [];
    return [
      element("button", { type: "button", class: "step left", "aria-label": "Picture before", onclick: () => this.actions.step(-1) }, sign("left")),
      element("button", { type: "button", class: "step right", "aria-label": "Next picture", onclick: () => this.actions.step(1) }, sign("right")),
    ];
  }

  facts(hit) {
    const size = hit.width ? ` · ${hit.width} × ${hit.height}` : "";
    const score = hit.score === null || hit.score === undefined ? "" : ` · cosine ${hit.score.toFixed(3)}`;
    const others = hit.captions.slice(1).map((caption) => element("li", {}, caption));
    return [element("p", { class: "facts" }, `${hit.id}${size}${score}`), others.length ? element("ul", { class: "captions" }, ...others) : null];
  }

  buttons(hit) {
    const { more, less, buttons } = this.actions;
    if (buttons) return buttons(hit);
    return element(
      "p",
      { class: "actions" },
      more && element("button", { type: "button", class: "main", onclick: () => more(hit.id) }, "More like this ", element("kbd", {}, "m")),
      less && element("button", { type: "button", onclick: () => less(hit.id) }, "Less like this"),
    );
  }
}

function metadata(hit, { filter }) {
  const rows = Object.entries(hit.metadata).filter(([, value]) => value !== null && value !== "");
  return element(
    "dl",
    { class: "metadata" },
    ...rows.flatMap(([name, value]) => [
      element("dt", {}, name),
      element("dd", {}, filter ? element("button", { type: "button", title: `Only ${name} = ${value}`, onclick: () => filter(name, value) }, String(value)) : String(value)),
    ]),
  );
}
