// Decisions of the guard: a lane for each category under the video, filled while they are told.

import { clock, find, make, percent } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** The timeline of one video; `seek` shows a moment of it. */
export class Timeline {
  constructor(begin, seek) {
    // They come as the guard writes them: C1(Sexual Content).
    const names = Object.entries(begin.categories).map(([category, name]) => [category, name.replace(/^\w+\((.*)\)$/, "$1")]);
    this.categories = Object.fromEntries(names);
    this.thresholds = begin.thresholds;
    this.duration = Math.max(begin.video.duration_s, 0.1);
    // How long a decision holds where no next one is told.
    this.step = 1 / begin.fps;
    this.frames = [];
    this.alarms = [];
    this.clips = [];
    this.seek = seek;
    this.lanes = new Map(names.map(([category, name]) => [category, this.#lane(category, name)]));
    const axis = make("div", { class: "axis", "aria-hidden": "true" });
    for (const share of [0, 0.25, 0.5, 0.75, 1]) axis.append(make("span", {}, clock(share * this.duration)));
    find("lanes").replaceChildren(...[...this.lanes.values()].map((lane) => lane.row), axis);
    find("lanes").onkeydown = (event) => this.#walk(event);
    find("guard-told").replaceChildren();
    find("guard").hidden = false;
  }

  frame(decision) {
    const before = this.frames.at(-1);
    this.frames.push(decision);
    for (const [category, lane] of this.lanes) {
      this.#draw(lane, decision.time, decision.probabilities[category] ?? 0);
      if (!decision.raised.includes(category)) continue;
      // What is raised without a break is one mark.
      const goesOn = before?.raised.includes(category) && lane.mark;
      if (!goesOn) lane.mark = this.#mark(category, lane, decision);
      lane.mark.span.until = this.#until(decision.time);
      lane.mark.span.most = Math.max(lane.mark.span.most, decision.probabilities[category] ?? 0);
      this.#place(lane.mark);
    }
  }

  alarm(alarm) {
    this.alarms.push(alarm);
    this.lanes.get(alarm.category)?.row.classList.add("alarmed");
    this.#list();
  }

  clip(clip) {
    this.clips.push(clip);
    this.#list();
  }

  verdict(verdict) {
    this.said = verdict;
    this.#list();
  }

  /** Shows the decision at a moment of the playback. */
  follow(time) {
    for (const lane of this.lanes.values()) lane.head.style.insetInlineStart = `${Math.min(1, time / this.duration) * 100}%`;
    const decision = this.frames.findLast((frame) => frame.time <= time + 0.001) ?? this.frames[0];
    const place = find("current");
    const isJudged = decision && time < decision.time + 2 * this.step;
    const raised = isJudged ? decision.raised : [];
    place.classList.toggle("raised", raised.length > 0);
    const told = raised.map((category) => `${this.#name(category)} ${percent(decision.probabilities[category] ?? 0)}`).join(", ");
    // The model may name a category that is not likely enough for an alarm.
    const named = isJudged ? decision.labels.filter((label) => !raised.includes(label)).map((label) => this.#name(label)) : [];
    const also = named.length ? ` (named, below the limit: ${named.join(", ")})` : "";
    place.textContent = `${clock(time)} · ${!isJudged ? "not judged yet" : told ? `Alarm: ${told}` : "no alarm"}${also}`;
    for (const [category, lane] of this.lanes) lane.row.classList.toggle("now", raised.includes(category));
  }

  #name(category) {
    return this.categories[category] ?? category;
  }

  #until(time) {
    return Math.min(this.duration, time + this.step);
  }

  #lane(category, name) {
    const svg = document.createElementNS(SVG, "svg");
    for (const [attribute, value] of [["viewBox", "0 0 1 1"], ["preserveAspectRatio", "none"], ["aria-hidden", "true"]]) svg.setAttribute(attribute, value);
    const path = document.createElementNS(SVG, "path");
    const limit = document.createElementNS(SVG, "line");
    const height = 1 - this.thresholds[category];
    for (const [attribute, value] of [["x1", 0], ["x2", 1], ["y1", height], ["y2", height]]) limit.setAttribute(attribute, value);
    svg.append(path, limit);
    const head = make("span", { class: "playhead", "aria-hidden": "true" });
    const track = make("div", { class: "track" }, svg, head);
    track.addEventListener("click", (event) => {
      if (event.target.closest("button")) return;
      const area = track.getBoundingClientRect();
      this.seek(((event.clientX - area.left) / area.width) * this.duration);
    });
    const row = make("div", { class: `lane ${category}` }, make("span", { class: "name" }, `${category} ${name}`), track);
    return { row, track, path, head, drawn: "M0 1", mark: null };
  }

  /** Adds a step to what is drawn; where the next decision comes later than expected, the step reaches to it. */
  #draw(lane, time, share) {
    lane.drawn += `H${time / this.duration}V${1 - share}`;
    lane.path.setAttribute("d", `${lane.drawn}H${this.#until(time) / this.duration}V1Z`);
  }

  #mark(category, lane, decision) {
    const isFirst = !find("lanes").querySelector("button");
    const button = make("button", { type: "button", class: "mark", tabindex: isFirst ? 0 : -1, onclick: () => this.seek(decision.time) }, "!");
    button.span = { category, from: decision.time, until: decision.time, most: 0 };
    lane.track.append(button);
    return button;
  }

  #place(button) {
    const { category, from, until, most } = button.span;
    button.style.insetInlineStart = `${(from / this.duration) * 100}%`;
    button.style.inlineSize = `${((until - from) / this.duration) * 100}%`;
    const told = `Alarm: ${this.#name(category)}, ${clock(from)} to ${clock(until)}, up to ${percent(most)}`;
    button.setAttribute("aria-label", told);
    button.title = told;
  }

  /** One stop for Tab; arrow keys go on from there in the order of time. */
  #walk(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !event.target.classList.contains("mark")) return;
    event.preventDefault();
    const marks = [...find("lanes").querySelectorAll("button.mark")].sort((one, other) => one.span.from - other.span.from);
    const next = marks[marks.indexOf(event.target) + step];
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  #list() {
    const go = (time, text) => make("button", { type: "button", class: "moment", onclick: () => this.seek(time) }, text);
    const parts = [];
    if (this.alarms.length) {
      const items = this.alarms.map(({ category, time, probability }) =>
        make("li", { class: category }, go(time, clock(time)), ` ${this.#name(category)}, ${percent(probability)}`),
      );
      parts.push(make("details", { open: true }, make("summary", {}, `Alarms: ${items.length}`), make("ol", {}, ...items)));
    }
    if (this.clips.length) {
      const items = this.clips.map(({ start, end, labels, summary }) => {
        const told = labels.map((label) => this.#name(label)).join(", ") || "safe";
        return make("li", {}, go(start, `${clock(start)} to ${clock(end)}`), ` ${told}`, summary ? make("p", { dir: "auto" }, summary) : null);
      });
      parts.push(make("details", {}, make("summary", {}, `Clips: ${items.length}`), make("ol", {}, ...items)));
    }
    if (this.said) {
      const { text, description, labels } = this.said;
      const told = labels === null ? "cannot be read" : labels.map((label) => this.#name(label)).join(", ") || "safe";
      parts.push(make("p", {}, make("strong", {}, "Verdict on the whole: "), told));
      parts.push(make("blockquote", { dir: "auto" }, description || text));
    }
    // What was opened stays so while more comes in.
    const open = [...find("guard-told").querySelectorAll("details")].map((each) => each.open);
    find("guard-told").replaceChildren(...parts);
    find("guard-told").querySelectorAll("details").forEach((each, place) => (each.open = open[place] ?? each.open));
  }
}
