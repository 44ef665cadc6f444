// Past runs with their workbooks.

import { ask, askJson, key } from "./api.js";
import { find, make, showProblem, size } from "./dom.js";

const NAMES = { xlsx: "Workbook", html: "Page" };

export async function listReports() {
  try {
    const { reports } = await askJson("v1/reports");
    find("reports-problem").replaceChildren();
    find("reports").replaceChildren(
      reports.length
        ? make("ul", { class: "reports" }, ...reports.map(line))
        : make("p", { class: "note" }, "No run has left a report in the folder of the service yet."),
    );
  } catch (error) {
    showProblem(find("reports-problem"), error, listReports);
  }
}

function line({ recipe, created, files }) {
  const when = new Date(created).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return make(
    "li",
    {},
    make("span", { class: "name" }, recipe),
    make("time", { datetime: created }, when),
    make("span", { class: "files" }, ...[...files].sort((one, other) => (one.kind < other.kind ? 1 : -1)).map(link)),
  );
}

function link({ name, kind, bytes, url }) {
  const isShown = kind === "html" && !key.get();
  const attributes = {
    href: url.replace(/^\//, ""),
    "aria-label": `${NAMES[kind]} ${name}, ${size(bytes)}`,
    ...(isShown ? { target: "_blank", rel: "noopener" } : { download: name }),
    // A link cannot send the key.
    onclick: key.get() ? (event) => save(event, name) : null,
  };
  return make("a", attributes, `${NAMES[kind]} (${size(bytes)})`);
}

async function save(event, name) {
  event.preventDefault();
  try {
    const content = await (await ask(event.currentTarget.getAttribute("href"))).blob();
    const address = URL.createObjectURL(content);
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (error) {
    showProblem(find("reports-problem"), error);
  }
}
