// @ts-check
/**
 * Values over time as SVG, which stretches to whatever width there is; its words stand around it in HTML.
 * Lines differ by dashes as well as by colour. Arrow keys or a pointer move a cursor, at which the legend reads.
 */
import { h, legend, patchChildren, table, walk } from "./dom.js";
import { bytes, count, moment, timeText } from "./words.js";

const WIDTH = 4000;
const HEIGHT = 1000;
const ROUND = [1, 2, 4, 6, 8, 10];

/**
 * @typedef {{ name: string, values: (number | null)[], total?: number, tone?: number }} Series
 * @param {{ title: string, times: string[], series: Series[], show?: (value: any) => string, stacked?: boolean, per?: string }} given
 */
export function chart({ title, times, series, show = count, stacked = false, per = "" }) {
  const drawn = stacked ? stack(series) : series.map((one) => one.values);
  const most = drawn.reduce((found, values) => values.reduce(larger, found), 0);
  const top = show === bytes ? 2 ** Math.ceil(Math.log2(most || 1)) : roundTop(most);
  const tones = series.map((one, at) => one.tone ?? at);
  const span_ms = times.length ? Date.parse(times[times.length - 1]) - Date.parse(times[0]) : 0;
  const empty = !series.some((one) => one.values.some((value) => value));
  const model = { title, times, series, show, per, label: summary(title, times, series, show) };
  const marks = [0, Math.floor((times.length - 1) / 2), times.length - 1].filter((at) => at >= 0);
  return h("figure", { class: "chart", "data-key": title, patched: (figure) => readAt(figure.querySelector(".field svg")) },
    h("figcaption", {}, h("h3", {}, title), h("span", { class: "at" }, per)),
    h("div", { class: "plot" },
      h("div", { class: "y", "aria-hidden": "true" }, [top, top / 2, 0].map((value) => h("span", {}, show(value)))),
      h("div", { class: "field" },
        h("svg", {
          role: "img", tabindex: 0, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-label": model.label, model,
          onpointermove: ({ currentTarget, clientX }) => {
            const { left, width } = currentTarget.getBoundingClientRect();
            readAt(currentTarget, Math.round(((clientX - left) / width) * (times.length - 1)));
          },
          onpointerleave: ({ currentTarget }) => readAt(currentTarget, null),
          onblur: ({ currentTarget }) => readAt(currentTarget, null),
          onkeydown: (event) => walk(event, times.length, 10, readAt),
        },
        h("path", { class: "rule", d: `M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}` }),
        drawn.map((values, at) => values.some((value) => value) && [
          stacked && h("path", { class: `area s${tones[at]}`, d: area(values, at ? drawn[at - 1] : null, top) }),
          h("path", { class: `line s${tones[at]}`, d: line(values, top) }),
          h("path", { class: `dots s${tones[at]}`, d: alone(values, top) }),
        ]),
        h("path", { class: "cursor", d: "" })),
        empty && h("p", { class: "none" }, "nothing in this range")),
      h("div", { class: "x", "aria-hidden": "true" }, marks.map((at) => h("span", {}, timeText(times[at], span_ms))))),
    legend(series.map((one, at) => [`line s${tones[at]}`, one.name, " ", h("b", {}, show(latest(one.values))),
      one.total !== undefined && h("small", {}, ` · ${show(one.total)} in all`)])),
    dataTable(model));
}

/** A line without words for the side of a number. */
export function sparkline(values) {
  const top = values.reduce(larger, 0) || 1;
  return h("svg", { class: "spark", "aria-hidden": "true", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" },
    h("path", { class: "area s0", d: area(values, null, top) }), h("path", { class: "line s0", d: line(values, top) }));
}

/** The values as a table, which is made when somebody opens it. */
function dataTable({ title, times, series, show }) {
  const fill = (details) => {
    if (!details.open) return;
    const rows = times.map((time, at) => ({ key: time, row: [moment(time), ...series.map((one) => show(one.values[at]))] }));
    const made = table(`${title}: data`, ["Time", ...series.map((one) => `#${one.name}`)], rows.reverse());
    patchChildren(details, [h("summary", {}, "Data"), made]);
  };
  return h("details", { whole: true, patched: fill, ontoggle: ({ currentTarget }) => fill(currentTarget) }, h("summary", {}, "Data"));
}

/** Let the legend tell the values under the cursor; without one, the newest. */
function readAt(svg, place = svg.place ?? null) {
  const figure = svg.closest("figure");
  const { title, times, series, show, label, per } = svg.model;
  const at = place === null ? null : Math.max(0, Math.min(times.length - 1, place));
  const read = (values) => show(at === null ? latest(values) : values[at]);
  svg.place = at;
  svg.lastChild.setAttribute("d", at === null ? "" : `M${x(at, times.length)} 0V${HEIGHT}`);
  figure.querySelectorAll(".legend b").forEach((value, number) => { value.textContent = read(series[number].values); });
  figure.querySelector(".at").textContent = at === null ? per : moment(times[at]);
  const told = series.map((one) => `${one.name} ${read(one.values)}`).join(", ");
  svg.setAttribute("aria-label", at === null ? label : `${title} at ${moment(times[at])}: ${told}`);
}

function summary(title, times, series, show) {
  if (!times.length) return `${title}: nothing yet`;
  const told = series.map((one) => `${one.name} ${show(latest(one.values))}`).join(", ");
  return `${title}, ${moment(times[0])} to ${moment(times[times.length - 1])}. Last: ${told}`;
}

function latest(values) {
  for (let at = values.length - 1; at >= 0; at--) if (values[at] !== null) return values[at];
  return null;
}

const larger = (most, value) => (value > most ? value : most);
const x = (at, points) => Math.round((at * WIDTH) / Math.max(1, points - 1));
const y = (value, top) => Math.round(HEIGHT - (value * HEIGHT) / top);

/** The least round number that is as large. */
function roundTop(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * /** @type {number} */ (ROUND.find((step) => step * power >= value));
}

function stack(series) {
  /** @type {number[][]} */
  const sums = [];
  for (const { values } of series) {
    const below = sums[sums.length - 1];
    sums.push(values.map((value, at) => (value ?? 0) + (below ? below[at] : 0)));
  }
  return sums;
}

function line(values, top) {
  let path = "";
  let pen = "M";
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (value === null) pen = "M";
    else {
      path += `${pen}${x(at, values.length)} ${y(value, top)}`;
      pen = "L";
    }
  }
  return path;
}

/** Values whose neighbours are unknown, which a line would not show. */
function alone(values, top) {
  let path = "";
  for (let at = 0; at < values.length; at++) {
    const lone = values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;
    if (lone) path += `M${x(at, values.length)} ${y(values[at], top)}h0`;
  }
  return path;
}

function area(values, below, top) {
  if (values.length < 2) return "";
  const floor = below ?? values.map(() => 0);
  const points = floor.map((value, at) => `${x(at, floor.length)} ${y(value ?? 0, top)}`).reverse();
  return `${line(values.map((value) => value ?? 0), top)}L${points.join("L")}Z`;
}
