// @ts-check
/** A page is a function of its address: what it reads as of a moment, and what is drawn from that. Changes say when to read again. */
import { follow, read } from "./api.js";
import { h, patchChildren } from "./dom.js";
import { job } from "./job.js";
import { jobs } from "./jobs.js";
import { log } from "./log.js";
import { network } from "./network.js";
import { nodes } from "./nodes.js";
import { elsewhere, href, routeOf } from "./route.js";
import { count, moment } from "./words.js";

/** @type {Record<string, import("./route.js").Page>} */
const PAGES = { network, jobs, job, nodes, log };
const FRAME_MS = 250;
const TICK_MS = 5000;

const by = (id) => /** @type {any} */ (document.getElementById(id));
const [main, slider, status, when] = ["main", "slider", "status", "when"].map(by);
const turn = { busy: false, again: false, timer: 0, done_ms: 0, took_ms: 0, stop: new AbortController() };
const newest = { position: 0, time: "", connected: false };
let shown = "";
let playing = 0;
/** @type {any} */
let data = {};

const here = () => {
  const route = routeOf(location.hash);
  return PAGES[route.page] ? route : routeOf("#/network");
};

/** Read and draw; whoever asks meanwhile gets one more turn behind it. */
async function refresh() {
  turn.again = true;
  if (turn.busy) return;
  turn.busy = true;
  const begun_ms = performance.now();
  while (turn.again) {
    turn.again = false;
    await once().catch((error) => { reportError(error); tell(error, here()); });
  }
  turn.busy = false;
  turn.done_ms = performance.now();
  turn.took_ms = turn.done_ms - begun_ms;
}

async function once() {
  const route = here();
  const page = PAGES[route.page];
  const fresh = `${route.page}/${route.id}` !== shown;
  const stop = (turn.stop = new AbortController());
  const top = history.state?.top ?? 0;
  if (fresh) enter(route);
  const problems = [];
  const next = fresh ? data : { ...data };
  /** @type {Record<string, any>} */
  const wanted = { ...page.reads(route, next), moment: "/log?limit=1" };
  let left = Object.keys(wanted).length;
  await Promise.all(Object.entries(wanted).map(async ([name, path]) => {
    try {
      if (path !== undefined) next[name] = path ? await read(path.now ?? path, path.now ? null : route.at, stop.signal) : null;
    } catch (problem) {
      const refused = problem.status >= 400 && problem.status < 500;
      next[name] = refused ? null : next[name] ?? null;
      problems.push(problem);
    }
    if (--left && fresh && !stop.signal.aborted) draw(page, route);
  }));
  if (stop.signal.aborted) return;
  data = next;
  draw(page, route);
  if (fresh && top) scrollTo(0, top);
  main.ariaBusy = "false";
  tell(problems[0], route);
}

function enter(route) {
  const first = shown === "";
  shown = `${route.page}/${route.id}`;
  data = {};
  main.ariaBusy = "true";
  main.replaceChildren(h("p", { class: "reading" }, "Reading the log…"));
  for (const link of document.querySelectorAll("header nav a")) {
    const current = link.getAttribute("href")?.slice(2).split("?")[0] === (route.page === "job" ? "jobs" : route.page);
    link.toggleAttribute("aria-current", current);
    if (current) link.setAttribute("aria-current", "page");
  }
  if (!first) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

function draw(page, route) {
  patchChildren(main, page.draw(data, route).flat(Infinity).filter(Boolean));
  document.title = `${main.querySelector("h1")?.textContent} · Lota`;
  drawMoment(page, route);
}

function drawMoment(page, route) {
  const live = route.at === null;
  if (live && data.moment?.last > newest.position) Object.assign(newest, { position: data.moment.last, time: data.moment.events[0]?.time });
  const [first, last] = page.span?.(data) ?? [data.moment?.first ?? 0, newest.position];
  const at = live ? last : Number(route.at) || (data.moment?.events[0]?.position ?? first);
  slider.min = String(Math.min(first, at));
  slider.max = String(Math.max(last, at));
  slider.value = String(at);
  when.textContent = `position ${count(live ? newest.position : at)} · ${moment(live ? newest.time : data.moment?.events[0]?.time)}`;
  slider.setAttribute("aria-valuetext", when.textContent);
  by("live").setAttribute("aria-pressed", String(live));
  by("play").setAttribute("aria-pressed", String(playing !== 0));
  by("play").textContent = playing ? "Pause" : "Play";
  document.body.classList.toggle("past", !live);
  for (const link of document.querySelectorAll("header a")) {
    link.setAttribute("href", elsewhere(route, link.getAttribute("href").slice(2).split("?")[0]));
  }
}

/** Say how it stands, in words that change only when it changes. */
function tell(problem, route) {
  if (problem?.status === 401) location.assign("/login");
  const past = "The past is shown. Live goes back to now.";
  const lost = "The connection is lost, and tried again. What is shown may be old.";
  const said = problem ? problem.message : route.at !== null ? past : newest.connected ? "Connected: changes are shown as they come." : lost;
  status.classList.toggle("bad", Boolean(problem) || (route.at === null && !newest.connected));
  if (status.textContent !== said) status.textContent = said;
}

/** Read again soon, but less often than the page asks for if reading takes long, and not while nobody looks. */
function wake() {
  if (turn.timer || document.hidden || here().at !== null) return;
  const wait_ms = Math.max(0, turn.done_ms + Math.max(PAGES[here().page].pace_ms, 3 * turn.took_ms) - performance.now());
  turn.timer = setTimeout(() => { turn.timer = 0; refresh(); }, wait_ms);
}

function goTo(at) {
  history.replaceState(history.state, "", href(here(), { at }));
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
  drawMoment(PAGES[here().page], here());
}

by("moment").addEventListener("submit", (event) => event.preventDefault());
by("live").addEventListener("click", () => { pause(); goTo(null); });
by("play").addEventListener("click", () => { if (playing) pause(); else { playing = -1; frame(); } });
slider.addEventListener("input", () => { if (playing) pause(); goTo(slider.value); });
document.querySelector(".skip")?.addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
addEventListener("hashchange", () => {
  if (`${here().page}/${here().id}` !== shown) turn.stop.abort();
  refresh();
});
history.scrollRestoration = "manual";
document.addEventListener("scrollend", () => history.replaceState({ top: scrollY }, ""));
document.addEventListener("visibilitychange", wake);
setInterval(() => { if (PAGES[here().page].ticks?.(data)) wake(); }, TICK_MS);
follow((change) => {
  Object.assign(newest, { position: change.position, time: change.time });
  if (here().at === null) drawMoment(PAGES[here().page], here());
  if (change.position > (data.moment?.last ?? 0) && PAGES[here().page].touched(change, here())) wake();
}, (connected) => {
  if (connected && !newest.connected) wake();
  newest.connected = connected;
  tell(null, here());
});
refresh();
