// Small parts of the page. Whatever comes from a model, a file or the service is put in as text, never as markup.

export const find = (id) => document.getElementById(id);

/** An element with attributes (`on…` are listeners) and children; strings become text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const percent = (share) => (share > 0.9995 || share < 0.0005 ? `${Math.round(share * 100)} %` : `${(share * 100).toFixed(1)} %`);

/** Seconds as 0:03.5. */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600);
  const rest = ((tenths % 600) / 10).toFixed(1);
  return `${minutes}:${rest.padStart(4, "0")}`;
}

export const size = (bytes) => (bytes < 1 << 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`);

/** A share between 0 and 1 as a bar with its number. */
export function bar(name, share, marked = false) {
  const filled = make("span", { class: "filled" });
  filled.style.inlineSize = `${share * 100}%`;
  return make(
    "li",
    { class: marked ? "marked" : null },
    make("span", { class: "name" }, name),
    make("span", { class: "track", "aria-hidden": "true" }, filled),
    make("span", { class: "number" }, percent(share)),
  );
}

/** Shows why something did not work, in the words of the service; `retry` gets a button. */
export function showProblem(place, error, retry = null) {
  if (error.name === "AbortError") return;
  const told = error.problem;
  const lines = told
    ? [make("strong", {}, told.status === 429 ? "Busy" : told.status < 500 ? "Refused" : told.title), make("p", {}, told.detail ?? "")]
    : [make("strong", {}, "No answer"), make("p", {}, error.message)];
  for (const other of told?.problems ?? []) lines.push(make("p", {}, `${other.thing} is ${other.value}: ${other.rule}`));
  if (told?.request) lines.push(make("p", { class: "note" }, `Request ${told.request}`));
  if (retry && error.mayRetry) {
    const again = () => {
      place.replaceChildren();
      retry();
    };
    lines.push(make("button", { type: "button", onclick: again }, "Try again"));
  }
  place.replaceChildren(make("div", { class: "problem" }, ...lines));
}
