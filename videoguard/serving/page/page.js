// The page: choose a video, ask models about it, let the guard judge it, look at past runs.

import { kindOf, showAnswers, showFrames } from "./answers.js";
import { ask, askJson, events, form, key } from "./api.js";
import { find, make, showProblem, size } from "./dom.js";
import { Timeline } from "./guard.js";
import { listReports } from "./reports.js";

/** What the guard knows; one probability is set for all of them. */
const CATEGORIES = ["C1", "C2", "C3", "C4", "C5", "C6"];
const video = find("video");
/** What the service serves, by name. */
const cards = new Map();
let chosen = null;
let timeline = null;
/** Stops the work that is under way, and the frames that are being fetched. */
let work = null;
let looking = null;
let isOwnQuestion = false;

const picked = () => [...document.querySelectorAll("#models input:checked")].map((box) => cards.get(box.value));

// Which models there are

async function start() {
  try {
    const { data, labels } = await askJson("v1/models");
    cards.clear();
    for (const model of data) cards.set(model.id, model);
    showModels(data, labels);
    find("entry").hidden = true;
    find("entry-problem").replaceChildren();
    find("work").hidden = false;
    find("forget").hidden = !key.get();
    find("state").textContent = `${data.length} ${data.length === 1 ? "model" : "models"} served`;
    await listReports();
  } catch (error) {
    if (error.status === 401) return wantKey(error);
    find("state").textContent = "";
    find("entry").hidden = true;
    find("work").hidden = false;
    showProblem(find("problem"), { ...error, message: error.message, mayRetry: true }, start);
  }
}

function wantKey(error) {
  // Without a key that was given, its absence is no mistake to be told.
  if (key.get()) showProblem(find("entry-problem"), error);
  key.forget();
  find("state").textContent = "";
  find("forget").hidden = true;
  find("work").hidden = true;
  find("entry").hidden = false;
  find("key").focus();
}

function showModels(models, labels) {
  const seeing = models.filter((model) => model.reads === "video");
  const first = seeing[0];
  // The first model and the base behind it: what the training changed is seen at once.
  const isFirst = (model) => model === first || model.id === `${first.id}#base`;
  find("models").replaceChildren(
    ...seeing.map((model, place) => {
      const id = `model-${place}`;
      const box = make("input", { type: "checkbox", id, value: model.id, checked: isFirst(model), onchange: modelsChanged });
      const name = make("label", { for: id }, model.id, " ", make("span", { class: `kind ${kindOf(model)}` }, kindOf(model)));
      if (model.version) name.append(make("span", { class: "note" }, ` version ${model.version}`));
      const line = make("p", { class: "check" }, box, name);
      if (model.problem) line.append(make("span", { class: "cut" }, model.problem));
      return line;
    }),
  );
  if (!first) find("models").replaceChildren(make("p", {}, "None of the served models sees videos."));
  find("scoring").hidden = !labels.length;
  find("scores").checked = labels.length > 0;
  const guards = models.filter((model) => model.can_guard);
  find("guards").replaceChildren(...guards.map((model) => make("option", { value: model.id }, model.id)));
  for (const id of ["guards", "guards-label"]) find(id).hidden = guards.length < 2;
  for (const id of ["judge", "rate", "rate-label", "limit", "limit-label"]) find(id).hidden = !guards.length;
  modelsChanged();
}

function modelsChanged() {
  const models = picked();
  const questions = new Set(models.map((model) => model.question));
  const own = models.find((model) => model.question)?.question ?? "";
  if (!isOwnQuestion) find("question").value = own;
  find("question").required = models.some((model) => !model.question) || isOwnQuestion;
  const hint = isOwnQuestion ? "" : questions.size > 1 && asTrained() ? "Unchanged, each model is asked the question of its training." : own && "The question of the training.";
  find("question-hint").textContent = hint;
  const isFree = models.length > 0 && models.every((model) => model.frames_are_free);
  find("count").disabled = !isFree;
  find("count-hint").hidden = isFree;
  enable();
  look();
}

/** Whether each model is asked the question of its training. */
const asTrained = () => !isOwnQuestion && picked().every((model) => model.question);

function enable() {
  find("send").disabled = work !== null || !chosen || !picked().length;
  find("judge").disabled = work !== null || !chosen;
  find("stop").hidden = work === null;
  if (work === null && !chosen) find("progress").textContent = "Choose a video first.";
}

// The video

function choose(file) {
  if (!file) return;
  work?.abort();
  work = null;
  chosen = file;
  timeline = null;
  for (const id of ["guard", "said", "seen"]) find(id).hidden = true;
  find("problem").replaceChildren();
  find("progress").textContent = "";
  URL.revokeObjectURL(video.src);
  find("unplayable").hidden = true;
  video.hidden = false;
  video.src = URL.createObjectURL(file);
  find("chosen").textContent = `${file.name}, ${size(file.size)}`;
  find("player").hidden = false;
  find("drop").classList.add("small");
  document.querySelector("#drop label").textContent = "Choose another video";
  enable();
  look();
}

function seek(time) {
  if (!video.hidden) video.currentTime = Math.min(time, Number.isFinite(video.duration) ? video.duration : time);
  timeline?.follow(time);
}

/** Fetches the frames that the first chosen model would see. */
async function look() {
  looking?.abort();
  const [model] = picked();
  if (!chosen || !model || work) return;
  const own = (looking = new AbortController());
  find("seen").hidden = false;
  find("frames").replaceChildren();
  find("seen-state").textContent = "Taking frames …";
  try {
    const body = form({ video: chosen, model: model.id, frames: frameCount() });
    const { frames, video: facts } = await askJson("v1/frames", { method: "POST", body, signal: own.signal });
    showFrames(frames, seek);
    find("seen-state").textContent = `${frames.length} of ${facts.frames}, for ${model.id}`;
  } catch (error) {
    if (own.signal.aborted) return;
    find("seen").hidden = true;
    if (error.status === 401) return wantKey(error);
    showProblem(find("problem"), error, look);
  }
}

const frameCount = () => (find("count").disabled ? null : find("count").value);

// Asking

/** Runs some work with the buttons as they must be; what goes wrong is shown, and may be tried again. */
async function during(text, doing, again) {
  const own = (work = new AbortController());
  find("problem").replaceChildren();
  find("progress").textContent = text;
  enable();
  let told = "";
  try {
    told = await doing(own.signal);
  } catch (error) {
    if (error.status === 401) wantKey(error);
    else if (own.signal.aborted) told = work === own ? "Stopped." : "";
    else showProblem(find("problem"), error, again);
  } finally {
    if (work === own) {
      work = null;
      find("progress").textContent = told;
      enable();
    }
  }
}

function askModels() {
  const models = picked();
  const fields = {
    model: models.map((model) => model.id),
    question: asTrained() ? null : find("question").value,
    max_new_tokens: find("tokens").value,
    frames: frameCount(),
    label_scores: find("scores").checked && !find("scoring").hidden,
    show_frames: true,
    video: chosen,
  };
  looking?.abort();
  find("said").hidden = true;
  return during("The models are looking …", async (signal) => {
    const { answers, frames, video: facts } = await askJson("v1/predict", { method: "POST", body: form(fields), signal });
    if (frames) {
      showFrames(frames, seek);
      find("seen-state").textContent = `${frames.length} of ${facts.frames}, for ${models[0].id}`;
      find("seen").hidden = false;
    }
    showAnswers(answers, cards);
    return "Answered.";
  }, askModels);
}

function judge() {
  const limit = Number(find("limit").value);
  const thresholds = JSON.stringify(Object.fromEntries(CATEGORIES.map((category) => [category, limit])));
  const fields = { video: chosen, model: find("guards").value, fps: find("rate").value, thresholds };
  return during("The guard is looking …", async (signal) => {
    const response = await ask("v1/guard", { method: "POST", body: form(fields), signal });
    let state = "";
    for await (const [name, content] of events(response)) {
      if (name === "begin") {
        timeline = new Timeline(content, seek);
        find("guard").scrollIntoView({ block: "nearest" });
        playFromTheBeginning();
      } else if (name === "problem") {
        throw Object.assign(new Error(content.detail), { problem: content, mayRetry: content.status >= 500 });
      } else if (name === "end") {
        const alarms = timeline.alarms.length;
        state = `${content.frames} frames judged in ${content.seconds.toFixed(1)} s, ${alarms} ${alarms === 1 ? "alarm" : "alarms"}.`;
      } else timeline[name]?.(content);
      if (name === "frame") {
        find("progress").textContent = `${timeline.frames.length} frames judged …`;
        timeline.follow(video.currentTime);
      }
    }
    find("guard-state").textContent = state;
    return state ? "Judged." : "The connection ended before the guard was done.";
  }, judge);
}

function playFromTheBeginning() {
  find("guard-state").textContent = "";
  if (video.hidden) return;
  video.currentTime = 0;
  // Where it may not play by itself, the user's own play button is there.
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) video.play().catch(() => {});
}

// What the user does

find("file").addEventListener("change", (event) => choose(event.target.files[0]));
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    find("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && !find("work").hidden) choose(event.dataTransfer.files[0]);
  });
}
video.addEventListener("error", () => {
  video.hidden = true;
  find("unplayable").hidden = false;
});
for (const name of ["timeupdate", "seeking"]) video.addEventListener(name, () => timeline?.follow(video.currentTime));
find("question").addEventListener("input", () => {
  isOwnQuestion = find("question").value !== "";
  find("question-hint").textContent = "";
});
find("question").addEventListener("change", () => {
  // An emptied field goes back to the question of the training.
  if (!isOwnQuestion) modelsChanged();
});
find("count").addEventListener("change", look);
find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!find("send").disabled) askModels();
});
find("judge").addEventListener("click", () => {
  const settings = [find("rate"), find("limit")];
  const wrong = settings.find((each) => !each.checkValidity());
  // What is wrong can only be shown where it is to be seen.
  if (wrong) wrong.closest("details").open = true;
  if (settings.every((each) => each.reportValidity())) judge();
});
document.querySelector("#ask details").addEventListener("invalid", (event) => (event.currentTarget.open = true), true);
find("stop").addEventListener("click", () => work?.abort());
find("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set(find("key").value.trim());
  find("key").value = "";
  start();
});
find("forget").addEventListener("click", () => {
  key.forget();
  location.reload();
});

start();
