// @ts-check
/** What the server is asked for: views, what a form sends, and word of changes. */

export const BASE = "/api/v1";
const AGAIN_MS = 3000;

/** An answer that is an error: what went wrong, and what to do about it. */
export class Problem extends Error {
  constructor(what, hint = "", status = 0) {
    super(hint ? `${what}. ${hint}` : what);
    this.status = status;
  }
}

/** The view of an address, as HTML. Throws Problem. */
export async function view(address, signal) {
  return (await ask(`view/${address}`, { signal })).text();
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
  if (answer.ok) return answer;
  const said = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
  throw new Problem(said.detail || said.title || `The server answers ${answer.status}`, said.hint, answer.status);
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
