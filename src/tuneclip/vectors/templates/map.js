"use strict";
// Draws the points and answers mouse, fingers and keyboard. A hundred thousand points are scanned in a few milliseconds.
const data = JSON.parse(document.getElementById("data").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const places = new Uint16Array(bytes(data.places).buffer);
const count = data.ids.length, GRID = 65535, NONE = 255, STEPS = 200, REACH = 12;
const COLOURS = ["#ee6677", "#4477aa", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee7733", "#009988", "#9970ab"];
const canvas = document.getElementById("map"), pen = canvas.getContext("2d"), card = document.getElementById("card");
const field = document.getElementById("field"), words = document.getElementById("words"), found = document.getElementById("found");
const view = { zoom: 1, x: 0.5, y: 0.5 };  // the part of the map in the middle, from 0 to 1
let codes, order, marked = null, chosen = -1, waiting = false;

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const part = (number, low, high) => Math.max(low, Math.min(high, number));
// From blue over grey to orange, even to most colour-blind eyes.
const scale = (share) => `hsl(${share < 0.5 ? 215 : 25} ${Math.round(15 + 140 * Math.abs(share - 0.5))}% ${Math.round(38 + 24 * share)}%)`;

function colour(code, chosenField) {
  if (code === NONE) return style("--point");
  return "values" in chosenField ? COLOURS[code] : scale(code / (STEPS - 1));
}

function paint(number) {
  const chosenField = data.fields[number];
  codes = bytes(chosenField.codes);
  order = Uint32Array.from({ length: count }, (_, point) => point);
  order.sort((one, other) => (codes[one] === NONE ? -1 : codes[one]) - (codes[other] === NONE ? -1 : codes[other]));
  const legend = document.getElementById("legend");
  legend.replaceChildren();
  const entry = (text, paintWith, name) => {
    const item = document.createElement("li"), dot = document.createElement("i");
    dot.style.background = paintWith;
    if (name) dot.className = name;
    item.append(...(name ? [text[0], dot, text[1]] : [dot, text]));
    legend.append(item);
  };
  if ("values" in chosenField) {
    chosenField.values.forEach((value, code) => entry(`${value} (${chosenField.counts[code].toLocaleString("en")})`, COLOURS[code]));
  } else {
    entry([String(chosenField.low), String(chosenField.high)], `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(scale)})`, "scale");
  }
  if (codes.includes(NONE)) entry(chosenField.rest, style("--point"));
  redraw();
}

function geometry() {
  const width = canvas.clientWidth, height = canvas.clientHeight, size = (Math.min(width, height) - 32) * view.zoom;
  return { width, height, size, left: width / 2 - view.x * size, top: height / 2 - view.y * size };
}

function draw() {
  waiting = false;
  const ratio = window.devicePixelRatio || 1, { width, height, size, left, top } = geometry();
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  pen.scale(ratio, ratio);
  const radius = part((0.37 * Math.min(width, height) / Math.sqrt(count + 400)) * Math.pow(view.zoom, 0.35), 1, 5);
  const chosenField = data.fields[Number(field.value)];
  const dim = marked ? 0.12 : 0.75;
  let last = -2;
  for (let pass = 0; pass < (marked ? 2 : 1); pass++) {
    for (const point of order) {
      if (marked && Boolean(marked[point]) !== (pass === 1)) continue;
      const x = left + (places[2 * point] / GRID) * size, y = top + (1 - places[2 * point + 1] / GRID) * size;
      if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
      const code = codes[point], key = code + 1000 * pass;
      if (key !== last) {
        pen.fillStyle = colour(code, chosenField);
        pen.globalAlpha = pass === 1 ? 1 : code === NONE ? dim * 0.65 : dim;
        last = key;
      }
      if (radius < 2) {
        pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
      } else {
        pen.beginPath();
        pen.arc(x, y, radius, 0, 7);
        pen.fill();
      }
    }
  }
  pen.globalAlpha = 1;
  if (chosen >= 0) {
    pen.strokeStyle = style("--accent");
    pen.lineWidth = 3;
    pen.beginPath();
    pen.arc(left + (places[2 * chosen] / GRID) * size, top + (1 - places[2 * chosen + 1] / GRID) * size, radius + 5, 0, 7);
    pen.stroke();
  }
}

function redraw() {
  if (!waiting) requestAnimationFrame(draw);
  waiting = true;
}

function nearest(x, y) {
  const { size, left, top } = geometry();
  let best = -1, least = REACH * REACH;
  for (let point = 0; point < count; point++) {
    if (marked && !marked[point]) continue;
    const across = left + (places[2 * point] / GRID) * size - x, down = top + (1 - places[2 * point + 1] / GRID) * size - y;
    const far = across * across + down * down;
    if (far < least) [best, least] = [point, far];
  }
  return best;
}

function tell(point, held = false) {
  chosen = point;
  canvas.classList.toggle("over", point >= 0);
  card.hidden = point < 0;
  card.classList.toggle("held", held);
  if (point >= 0) {
    const { width, height, size, left, top } = geometry();
    const x = left + (places[2 * point] / GRID) * size, y = top + (1 - places[2 * point + 1] / GRID) * size;
    const picture = card.querySelector("img"), source = data.pictures[point] || (data.pictures.length ? "" : data.links[point]);
    if (picture.getAttribute("src") !== source) picture.src = source;
    picture.hidden = !source;
    card.href = data.links[point];
    card.querySelector("b").textContent = data.texts[point];
    card.querySelector("small").textContent = data.ids[point];
    const wide = card.offsetWidth;
    card.style.left = `${part(x < width / 2 ? x + 16 : x - 16 - wide, 4, Math.max(4, width - wide - 4))}px`;
    card.style.top = y < height / 2 ? `${y + 12}px` : "auto";
    card.style.bottom = y < height / 2 ? "auto" : `${canvas.parentElement.clientHeight - y + 12}px`;
  }
  redraw();
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const before = geometry(), across = (x - before.left) / before.size, down = (y - before.top) / before.size;
  view.zoom = part(view.zoom * factor, 0.5, 400);
  const after = geometry();
  view.x += across - (x - after.left) / after.size;
  view.y += down - (y - after.top) / after.size;
  tell(-1);
}

function move(x, y) {
  const { size } = geometry();
  view.x = part(view.x - x / size, 0, 1);
  view.y = part(view.y - y / size, 0, 1);
  redraw();
}

function whole() {
  Object.assign(view, { zoom: 1, x: 0.5, y: 0.5 });
  tell(-1);
}

const fingers = new Map();
let moved = 0;
canvas.addEventListener("pointerdown", (event) => {
  fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  canvas.setPointerCapture(event.pointerId);
  moved = 0;
});
canvas.addEventListener("pointermove", (event) => {
  const finger = fingers.get(event.pointerId);
  if (!finger) {
    tell(nearest(event.offsetX, event.offsetY));
    return;
  }
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  const x = event.offsetX - finger.x, y = event.offsetY - finger.y;
  if (other) {
    const before = Math.hypot(finger.x - other.x, finger.y - other.y);
    zoom(Math.hypot(event.offsetX - other.x, event.offsetY - other.y) / Math.max(before, 1), other.x, other.y);
  }
  moved += Math.abs(x) + Math.abs(y);
  if (moved > 4 && !other) {
    canvas.classList.add("moving");
    if (chosen >= 0) tell(-1);
    move(x, y);
  }
  if (moved > 4) Object.assign(finger, { x: event.offsetX, y: event.offsetY });
});
canvas.addEventListener("pointerup", (event) => {
  if (fingers.size === 1 && moved <= 4) {
    const point = nearest(event.offsetX, event.offsetY);
    if (event.pointerType === "touch") tell(point, true);
    else if (point >= 0 && data.links[point]) window.open(data.links[point], "_blank", "noopener");
  }
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, (event) => {
    fingers.delete(event.pointerId);
    canvas.classList.remove("moving");
  });
}
canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") tell(-1); });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = {
    ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60),
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: whole,
  };
  if (!(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});
document.getElementById("closer").addEventListener("click", () => zoom(1.6));
document.getElementById("wider").addEventListener("click", () => zoom(1 / 1.6));
document.getElementById("whole").addEventListener("click", whole);
words.addEventListener("input", () => {
  const sought = words.value.trim().toLowerCase();
  marked = sought ? Uint8Array.from(data.ids, (id, point) => `${id} ${data.texts[point]}`.toLowerCase().includes(sought)) : null;
  const many = marked ? marked.reduce((sum, one) => sum + one, 0) : 0;
  found.textContent = marked ? `${many.toLocaleString("en")} of ${count.toLocaleString("en")}` : "";
  tell(-1);
});
// A picture of the lists shows where it is on the map.
for (const shown of document.querySelectorAll("[data-point]")) {
  for (const name of ["pointerenter", "focusin"]) shown.addEventListener(name, () => { chosen = Number(shown.dataset.point); redraw(); });
  for (const name of ["pointerleave", "focusout"]) shown.addEventListener(name, () => { chosen = -1; redraw(); });
}
data.fields.forEach((each, number) => field.add(new Option(each.name, String(number))));
field.addEventListener("change", () => paint(Number(field.value)));
new ResizeObserver(redraw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(Number(field.value)));
paint(0);
