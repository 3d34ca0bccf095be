// @ts-check
/** A page is what the server makes of its address, at a moment. Changes say when to ask for it again. */
import { follow, Problem, view } from "./api.js";
import { drawCharts } from "./chart.js";
import { moveCursors } from "./cursor.js";
import { h } from "./dom.js";
import { answerForms } from "./forms.js";
import { show } from "./show.js";
import { count, timeText } from "./words.js";

const START = "network";
const FRAME_MS = 250;
const TICK_MS = 5000;

const by = (id) => /** @type {any} */ (document.getElementById(id));
const links = (where) => /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll(where));
const [main, slider, status, when] = ["main", "slider", "status", "when"].map(by);
const turn = { busy: false, again: false, timer: 0, done_ms: 0, took_ms: 0, stop: new AbortController() };
const newest = { position: 0, time: "", connected: false };
/** @type {Record<string, string | undefined>} What the view says of itself: see node/web/views/page.py. */
let shown = {};
let path = "";
let playing = 0;

/** The address of the page: its path and what was chosen on it. */
function here() {
  const [path, words] = location.hash.replace(/^#\/?/, "").split("?");
  const query = new URLSearchParams(words);
  return { path: path || START, query, at: query.get("at") || null };
}

const addressOf = (path, query) => (query.size ? `${path}?${query}` : path);

/** Show the page; whoever asks meanwhile gets one more turn behind it. */
async function refresh() {
  turn.again = true;
  if (turn.busy) return;
  turn.busy = true;
  const begun_ms = performance.now();
  while (turn.again) {
    turn.again = false;
    turn.stop = new AbortController();
    await once(turn.stop.signal).catch(failed);
  }
  turn.busy = false;
  turn.done_ms = performance.now();
  turn.took_ms = turn.done_ms - begun_ms;
}

async function once(signal) {
  const address = here();
  const fresh = address.path !== path;
  const top = history.state?.top ?? 0;
  if (fresh) enter(address);
  const html = await view(addressOf(address.path, address.query), signal);
  if (signal.aborted) return;
  shown = show(main, html);
  if (shown.charts) drawCharts(main, JSON.parse(shown.charts));
  document.title = `${main.querySelector("h1")?.textContent} · Lota`;
  main.ariaBusy = "false";
  for (const link of links("header nav a")) {
    if (link.hash.slice(2).split("?")[0] === shown.page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  drawMoment();
  if (fresh && top) scrollTo(0, top);
  tell(shown.problem);
}

/** Begin a page: what was there of another one goes. */
function enter(address) {
  const first = path === "";
  path = address.path;
  shown = {};
  main.ariaBusy = "true";
  main.replaceChildren(h("p", { class: "reading" }, "Reading the log…"));
  if (first) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

function failed(problem) {
  if (problem.name === "AbortError") return;
  if (!(problem instanceof Problem)) reportError(problem);
  else if (problem.status === 401) location.assign(`/login${location.hash}`);
  main.ariaBusy = "false";
  const reading = main.querySelector(".reading");
  if (reading) reading.textContent = "There is nothing to be shown here.";
  tell(problem.message);
}

function drawMoment() {
  const { at } = here();
  const position = Number(shown.position ?? 0);
  if (at === null && position > newest.position) Object.assign(newest, { position, time: shown.time });
  const last = Number(shown.last ?? Math.max(newest.position, Number(shown.newest ?? 0)));
  const place = at === null ? last : Number(at) || position;
  slider.min = String(Math.min(Number(shown.first ?? 0), place));
  slider.max = String(Math.max(last, place));
  slider.value = String(place);
  const [told, time] = at === null ? [newest.position, newest.time] : [place, shown.time];
  when.textContent = `position ${count(told)} · ${timeText(time)}`;
  slider.setAttribute("aria-valuetext", when.textContent);
  by("live").textContent = shown.live ?? "Live";
  by("live").setAttribute("aria-pressed", String(at === null));
  by("play").setAttribute("aria-pressed", String(playing !== 0));
  by("play").textContent = playing ? "Pause" : "Play";
  document.body.classList.toggle("past", at !== null);
  for (const link of links("header a")) {
    const moment = new URLSearchParams(at === null ? {} : { at });
    link.setAttribute("href", `#/${addressOf(link.hash.slice(2).split("?")[0], moment)}`);
  }
}

/** Say how it stands, in words that change only when it changes. */
function tell(problem = "") {
  const live = here().at === null;
  const lost = "The connection is lost, and tried again. What is shown may be old.";
  const said = problem || (live && !newest.connected ? lost : shown.said ?? "");
  status.classList.toggle("bad", Boolean(problem) || (live && !newest.connected));
  if (status.textContent !== said) status.textContent = said;
}

/** Ask again soon, but less often than the page asks for if that takes long, and not while nobody looks. */
function wake() {
  if (turn.timer || document.hidden || here().at !== null) return;
  const pace_ms = Math.max(Number(shown.pace ?? FRAME_MS), 3 * turn.took_ms);
  const wait_ms = Math.max(0, turn.done_ms + pace_ms - performance.now());
  turn.timer = setTimeout(() => { turn.timer = 0; refresh(); }, wait_ms);
}

function touched({ position, jobs, nodes }) {
  const { follows = "*" } = shown;
  if (position <= Number(shown.position ?? 0) || follows === "") return false;
  return follows === "*" || jobs === null || nodes || jobs.some((id) => id.startsWith(follows));
}

function goTo(at) {
  const { path, query } = here();
  if (at === null) query.delete("at");
  else query.set("at", at);
  history.replaceState(history.state, "", `#/${addressOf(path, query)}`);
  return refresh();
}

async function frame() {
  const [from, until] = [Number(slider.min), Number(slider.max)];
  const step = Math.max(1, Math.ceil(((until - from) * FRAME_MS) / (Number(by("speed").value) * 1000)));
  const now = Number(slider.value);
  const at = here().at === null || now >= until ? from : Math.min(until, now + step);
  const begun_ms = performance.now();
  await goTo(String(at));
  if (!playing) return;
  if (at >= until) pause();
  else playing = setTimeout(frame, Math.max(0, begun_ms + FRAME_MS - performance.now()));
}

function pause() {
  clearTimeout(playing);
  playing = 0;
  drawMoment();
}

by("moment").addEventListener("submit", (event) => event.preventDefault());
by("live").addEventListener("click", () => { pause(); goTo(null); });
by("play").addEventListener("click", () => { if (playing) pause(); else { playing = -1; frame(); } });
slider.addEventListener("input", () => { if (playing) pause(); goTo(slider.value); });
document.querySelector(".skip")?.addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
addEventListener("hashchange", () => {
  turn.stop.abort();
  main.ariaBusy = "true";
  refresh();
});
history.scrollRestoration = "manual";
document.addEventListener("scrollend", () => history.replaceState({ top: scrollY }, ""));
document.addEventListener("visibilitychange", wake);
setInterval(() => { if (shown.ticks !== undefined) wake(); }, TICK_MS);
moveCursors(main);
answerForms(main);
follow((change) => {
  Object.assign(newest, { position: change.position, time: change.time });
  if (here().at === null) drawMoment();
  if (touched(change)) wake();
}, (connected) => {
  if (connected && !newest.connected) wake();
  newest.connected = connected;
  tell(shown.problem);
});
refresh();
