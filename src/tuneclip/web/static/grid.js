// A justified grid: rows of equal width, every picture at its own aspect. One tile at a time is in the tab order.

import { element } from "./element.js";

const GAP = 4;
const WIDEST = 3.2; // a panorama is cropped beyond this aspect, a strip below its inverse
const NARROWEST = 0.4;

export class Grid {
  // `list` is the <ul>; `options`: height of a row in pixels, `open(hit)` for a click, `decorate(tile, hit)`.
  constructor(list, options) {
    this.list = list;
    this.options = options;
    this.hits = [];
    this.tiles = [];
    this.current = 0;
    new ResizeObserver(() => this.lay_out()).observe(list);
    list.addEventListener("focusin", (event) => {
      const place = this.tiles.indexOf(event.target.closest(".tile"));
      if (place >= 0) this.mark(place);
    });
  }

  // Bars begin at `floor`, what half of all pictures score below, and end at the best score.
  show(hits, floor = 0) {
    this.hits = hits;
    const best = Math.max(floor + 1e-6, ...hits.map((hit) => hit.score ?? 0));
    this.tiles = hits.map((hit) => this.tile(hit, floor, best));
    this.list.replaceChildren(...this.tiles.map((tile) => element("li", {}, tile)));
    this.current = 0;
    this.mark(0);
    this.lay_out();
  }

  tile(hit, floor, best) {
    const caption = hit.captions[0] ?? hit.id;
    const image = element("img", { src: hit.width ? hit.picture : undefined, alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    const tile = element("button", { type: "button", class: "tile", tabindex: "-1" }, image, element("span", { class: "caption" }, caption));
    tile.classList.toggle("missing", !hit.width);
    tile.setAttribute("aria-label", hit.score === null ? caption : `${caption}, score ${hit.score.toFixed(3)}`);
    image.addEventListener("load", () => tile.classList.add("here"));
    image.addEventListener("error", () => tile.classList.add("missing"));
    if (hit.score !== null) {
      const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i"));
      bar.firstChild.style.width = `${Math.max(0, Math.min(1, (hit.score - floor) / (best - floor))) * 100}%`;
      tile.append(bar);
      tile.title = `cosine ${hit.score.toFixed(3)}${floor ? `; half of all pictures score below ${floor.toFixed(3)}` : ""}`;
    }
    tile.addEventListener("click", () => this.options.open?.(hit, this.tiles.indexOf(tile)));
    this.options.decorate?.(tile, hit);
    return tile;
  }

  mark(place) {
    this.tiles[this.current]?.setAttribute("tabindex", "-1");
    this.tiles[this.current]?.classList.remove("current");
    this.current = Math.max(0, Math.min(place, this.tiles.length - 1));
    this.tiles[this.current]?.setAttribute("tabindex", "0");
    this.tiles[this.current]?.classList.add("current");
  }

  go(place) {
    if (!this.tiles.length) return;
    this.mark(place);
    this.tiles[this.current].focus({ preventScroll: true });
    this.tiles[this.current].scrollIntoView({ block: "nearest" });
  }

  // Arrow keys: to the neighbour, or to the tile of the next row that lies nearest.
  move(key) {
    if (!this.tiles.length) return;
    if (!this.list.contains(document.activeElement)) return this.go(this.current);
    if (key === "ArrowLeft") return this.go(this.current - 1);
    if (key === "ArrowRight") return this.go(this.current + 1);
    this.go(this.beyond(key === "ArrowDown" ? 1 : -1));
  }

  beyond(way) {
    const from = this.tiles[this.current].getBoundingClientRect();
    const middle = from.left + from.width / 2;
    let row = null;
    let best = this.current;
    let distance = Infinity;
    for (let place = this.current + way; place >= 0 && place < this.tiles.length; place += way) {
      const box = this.tiles[place].getBoundingClientRect();
      if (Math.abs(box.top - from.top) < 2) continue;
      row ??= box.top;
      if (Math.abs(box.top - row) > 2) break;
      const away = Math.abs(box.left + box.width / 2 - middle);
      if (away < distance) [best, distance] = [place, away];
    }
    return best;
  }

  lay_out() {
    const width = Math.floor(this.list.getBoundingClientRect().width);
    if (!width || !this.tiles.length) return;
    const height = Math.min(this.options.height, Math.max(110, width / 2.4));
    let row = [];
    let total = 0;
    this.hits.forEach((hit, place) => {
      const aspect = Math.min(WIDEST, Math.max(NARROWEST, hit.width ? hit.width / hit.height : 4 / 3));
      row.push([place, aspect]);
      total += aspect;
      const room = width - GAP * (row.length - 1);
      if (total * height >= room) {
        this.set_row(row, room / total, room);
        [row, total] = [[], 0];
      }
    });
    if (row.length) this.set_row(row, height, total * height);
  }

  set_row(row, height, room) {
    let left = Math.floor(room);
    row.forEach(([place, aspect], number) => {
      const width = number === row.length - 1 ? left : Math.min(left, Math.round(aspect * height));
      left -= width;
      this.tiles[place].style.width = `${width}px`;
      this.tiles[place].style.height = `${Math.round(height)}px`;
    });
  }
}

export function skeleton(list, count = 24) {
  const aspects = [1.4, 0.8, 1, 1.5, 1.2, 0.75, 1.33, 1];
  const hits = Array.from({ length: count }, (_, i) => aspects[i % aspects.length]);
  list.replaceChildren(
    ...hits.map((aspect) => {
      const blank = element("span", { class: "tile blank" });
      blank.style.width = `${Math.round(aspect * 170)}px`;
      return element("li", { "aria-hidden": "true" }, blank);
    }),
  );
}

