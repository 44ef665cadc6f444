// Asks the service. Addresses are relative, so that the page also works behind a prefix of a proxy.

const KEY = "video-guard-key";

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/** Why the service did not answer; `problem` has its own words (RFC 9457) where it gave some. */
export class Refused extends Error {
  constructor(status, problem, message) {
    super(problem?.detail ?? message);
    this.status = status;
    this.problem = problem;
    // Nothing came back, or the service is busy: the same request may work later.
    this.mayRetry = [0, 408, 429, 503, 504, 507].includes(status);
  }
}

/** The response, where it is one of success; `onKeyWanted` is told when a key is lacking or wrong. */
export async function ask(path, options = {}) {
  const headers = key.get() ? { Authorization: `Bearer ${key.get()}` } : {};
  const response = await reached(fetch(path, { ...options, headers }));
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  throw new Refused(response.status, problem, `The service answered with status ${response.status}.`);
}

export async function askJson(path, options) {
  const response = await ask(path, options);
  return reached(response.json());
}

/** What was promised, where the connection held. */
async function reached(promise) {
  try {
    return await promise;
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Refused(0, null, "The service cannot be reached. It may have been stopped, or the connection was lost.");
  }
}

/** A form of fields; those that are null stay out, lists are given one by one. */
export function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") data.append(name, each);
    }
  }
  return data;
}

/** Name and content of each server-sent event of a response (EventSource cannot post a video). */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reached(reader.read());
    if (done) return;
    text += value.replaceAll("\r", "");
    const whole = text.split("\n\n");
    text = whole.pop();
    for (const event of whole) {
      const lines = event.split("\n");
      const field = (name) =>
        lines
          .filter((line) => line.startsWith(`${name}:`))
          .map((line) => line.slice(name.length + 1).trimStart())
          .join("\n");
      if (field("data")) yield [field("event"), JSON.parse(field("data"))];
    }
  }
}
