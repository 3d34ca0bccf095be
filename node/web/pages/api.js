// @ts-check
/** What the server says: documents as of a moment, and word of changes. */

export const BASE = "/api/v1";
const AGAIN_MS = 3000;
/** Of longer texts the beginning is shown. */
export const TEXT_MAX = 256 * 1024;

const kept = JSON.parse(document.getElementById("kept")?.textContent ?? "null");
/** Whether this is a file of its own, without a server behind it. */
export const ALONE = kept !== null;

/** An answer that is an error: what went wrong, and what to do about it. */
class Problem extends Error {
  constructor(what, hint = "", status = 0) {
    super(hint ? `${what}. ${hint}` : what);
    this.status = status;
  }
}

/** Read a document, or text, as of a moment; null is now. Throws Problem. */
export function read(path, at = null, signal = undefined) {
  if (ALONE) return readKept(path);
  const url = BASE + path + (at === null ? "" : `${path.includes("?") ? "&" : "?"}as_of=${encodeURIComponent(at)}`);
  return ask(url, { signal });
}

/** The view of an address, as HTML. Throws Problem. */
export function view(address, signal) {
  return ask(`view/${address}`, { signal });
}

/** Ask for something to be done. Throws Problem. */
export function send(path, body) {
  return ask(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
}

async function ask(url, options) {
  let answer;
  try {
    answer = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    throw new Problem("The server does not answer", "Is lota ui running? This page tries again by itself");
  }
  const type = answer.headers.get("content-type") ?? "";
  const said = type.includes("json") ? await answer.json() : type.includes("html") ? await answer.text() : await beginning(answer);
  if (answer.ok) return said;
  throw new Problem(said.detail || said.title || `The server answers ${answer.status}`, said.hint ?? "", answer.status);
}

async function beginning(answer) {
  const [reader, decoder] = [answer.body.getReader(), new TextDecoder()];
  let text = "";
  while (text.length < TEXT_MAX) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
  reader.cancel();
  return text.slice(0, TEXT_MAX);
}

async function readKept(path) {
  const found = kept[path] ?? kept[path.split("?")[0]];
  if (found === undefined) throw new Problem("This file does not hold that", "lota ui shows it while the network is there");
  return found;
}

/**
 * Be told of changes as they come, over failures of the connection; `told` also hears whether it stands. A page that
 * nobody looks at lets go of its connection: browsers have few for each server.
 */
export function follow(changed, told) {
  let source;
  const begin = () => {
    source?.close();
    if (document.hidden) return;
    source = new EventSource(`${BASE}/changes`);
    source.addEventListener("open", () => told(true));
    source.addEventListener("change", (event) => changed(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      told(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(begin, AGAIN_MS);
    });
  };
  document.addEventListener("visibilitychange", begin);
  begin();
}
