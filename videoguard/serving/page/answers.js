// What the models saw and said.

import { bar, clock, find, make, percent } from "./dom.js";

const SHOWN_LABELS = 3;

export function showFrames(frames, seek) {
  find("frames").replaceChildren(
    ...frames.map(({ time_s: time, image, width, height }) =>
      make(
        "li",
        {},
        make(
          "button",
          { type: "button", onclick: () => seek(time), "aria-label": `Frame at ${clock(time)}: show this moment` },
          make("img", { src: image, width, height, alt: "" }),
          make("span", {}, clock(time)),
        ),
      ),
    ),
  );
}

/** The answers side by side, in the order in which the models were asked. */
export function showAnswers(answers, cards) {
  const asked = new Set(answers.map((answer) => answer.question));
  find("answers").replaceChildren(...answers.map((answer) => card(answer, cards.get(answer.model), asked.size > 1)));
  find("said").hidden = false;
}

export const kindOf = (model) => (model.is_adapter ? "tuned" : "base");

function card(answer, model, showQuestion) {
  const heading = make("h3", {}, answer.model);
  if (model) heading.append(" ", make("span", { class: `kind ${kindOf(model)}` }, kindOf(model)));
  if (answer.version) heading.append(" ", make("span", { class: "note" }, `version ${answer.version}`));
  const parts = [heading];
  if (showQuestion && answer.question) parts.push(make("p", { class: "note" }, answer.question));
  if (answer.status !== "ok") return make("article", {}, ...parts, make("p", { class: "problem" }, answer.error ?? "It has no answer."));
  parts.push(make("blockquote", { dir: "auto" }, answer.answer || "(empty)"));
  if (answer.ended === false) parts.push(make("p", { class: "cut" }, `Cut off after ${answer.new_tokens} tokens.`));
  if (answer.confidence !== null) parts.push(make("ul", { class: "bars" }, bar("Confidence", answer.confidence)));
  if (answer.label_probabilities) parts.push(...labelScores(answer));
  if (answer.seconds !== null) parts.push(make("p", { class: "note" }, `${answer.new_tokens} tokens in ${answer.seconds.toFixed(2)} s`));
  return make("article", {}, ...parts);
}

function labelScores({ label, label_probability: probability, label_probabilities: probabilities }) {
  const sorted = Object.entries(probabilities).sort(([, one], [, other]) => other - one);
  const bars = (entries) => make("ul", { class: "bars" }, ...entries.map(([name, share]) => bar(name, share, name === label)));
  const found = [make("h4", {}, `Likeliest label: ${label} (${percent(probability)})`), bars(sorted.slice(0, SHOWN_LABELS))];
  const rest = sorted.slice(SHOWN_LABELS);
  if (rest.length) found.push(make("details", {}, make("summary", {}, `${rest.length} more labels`), bars(rest)));
  return found;
}
