// @ts-check
/** Numbers and times as people read them: the words of node/words.py for what the browser alone knows. */

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const NOTHING = "–";

/** @param {number | null} value */
export function count(value) {
  if (value === null) return NOTHING;
  return Math.abs(value) >= 100_000 ? short.format(value) : plain.format(value);
}

/** @param {number | null} value */
export function bytes(value) {
  if (value === null) return NOTHING;
  const power = value < 1024 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(value) / 10));
  return `${plain.format(value / 1024 ** power)} ${SIZES[power]}`;
}

/** @param {number | null} ms */
export function duration(ms) {
  if (ms === null) return NOTHING;
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

const DATE = /** @type {const} */ ({ day: "numeric", month: "short" });
const HOUR = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit" });
const SECOND = /** @type {const} */ ({ ...HOUR, second: "2-digit" });
const format = (options) => new Intl.DateTimeFormat("en-GB", options);
const day = format(DATE);
const clock = format(SECOND);
const hour = format({ ...DATE, ...HOUR });
const AXES = { day, hour, clock };

/**
 * A time on the browser's clock: a "moment" to the second, an "exact" one to the millisecond, or for an axis the
 * "clock", the "hour" with its day, or the "day". What is no time is left as it is.
 */
export function timeText(time, form = "moment") {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time || NOTHING;
  if (form in AXES) return AXES[form].format(at);
  const exact = form === "exact" ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : "";
  return `${day.format(at)} ${clock.format(at)}${exact}`;
}
