// Elements made from plain values: texts are only ever set as text, so a caption cannot become markup.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function find(id) {
  return document.getElementById(id);
}

const SIGNS = {
  close: "M5 5l10 10M15 5L5 15",
  left: "M12 4l-6 6 6 6",
  right: "M8 4l6 6-6 6",
};

export function sign(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 20 20");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", SIGNS[name]);
  drawing.append(path);
  return drawing;
}

export function command(text) {
  const copy = element("button", { type: "button", class: "quiet", onclick: () => copied(copy, text) }, "Copy");
  return element("div", { class: "command" }, element("pre", { tabindex: "0" }, element("code", {}, text)), copy);
}

async function copied(button, text) {
  await navigator.clipboard.writeText(text);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

export function show_problem(place, problem) {
  if (problem === null) return place.replaceChildren();
  if (problem.name === "AbortError") return;
  place.replaceChildren(
    element(
      "div",
      { class: "problem" },
      element("p", {}, element("strong", {}, problem.message)),
      problem.expected && element("p", {}, `Expected: ${problem.expected}`),
      problem.hint && element("p", { class: "next" }, "Next: ", element("code", {}, problem.hint)),
    ),
  );
}
