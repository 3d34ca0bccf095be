// @ts-check
/** Numbers, times and states as people read them. */

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayAndHour = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const FORMS = { clock, hour: dayAndHour, day };
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** @param {number | null | undefined} value */
export function count(value) {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) >= 100_000 ? short.format(value) : plain.format(value);
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const power = value < 1024 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(value) / 10));
  return `${plain.format(value / 1024 ** power)} ${SIZES[power]}`;
}

/** @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${plain.format(ms < 10 ? ms : Math.round(ms))} ms`;
  if (ms < 60_000) return `${plain.format(ms / 1000)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return both(seconds, 60, "min", 1, "s");
  return seconds < 172_800 ? both(seconds, 3600, "h", 60, "min") : both(seconds, 86_400, "d", 3600, "h");
}

function both(seconds, large, largeName, small, smallName) {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

/**
 * A time on the browser's clock: a "moment" to the second, an "exact" one to the millisecond, or for an axis the
 * "clock", the "hour" with its day, or the "day". What is no time is left as it is.
 */
export function timeText(time, form = "moment") {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time || "–";
  if (form in FORMS) return FORMS[form].format(at);
  return `${day.format(at)} ${clock.format(at)}${form === "exact" ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : ""}`;
}

/** A moment in full: the day and the second, or the millisecond. */
export function moment(time, exact = false) {
  if (!time) return "–";
  const at = new Date(time);
  return `${day.format(at)} ${clock.format(at)}${exact ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : ""}`;
}

const LOOKS = {
  good: ["✓", "completed", "accepted", "published", "live"],
  bad: ["✗", "failed", "rejected", "lost", "quarantined", "void"],
  busy: ["▶", "running", "publishing", "verifying", "started", "assigned", "offered", "awarded", "proposed", "revealed", "retry", "looking"],
  warn: ["!", "draining", "doubtful", "idle"],
  gone: ["⊘", "cancelled", "left"],
};
const LOOK_OF = new Map(Object.entries(LOOKS).flatMap(([look, [, ...states]]) => states.map((state) => [state, look])));

/** How a state looks: good, bad, busy, warn, gone or waiting. */
export function look(state) {
  return LOOK_OF.get(state) ?? "waiting";
}

/** A sign besides the colour. */
export function sign(state) {
  return LOOKS[look(state)]?.[0] ?? "○";
}
