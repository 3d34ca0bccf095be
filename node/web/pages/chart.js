// @ts-check
/**
 * The lines of charts, which stretch to whatever width there is; their words and axes stand around them already
 * (node/web/views/charts.py). At a cursor the legend tells its values. A table of all is made when somebody opens it.
 *
 * @typedef {{ name: string, values: (number | null)[], tone: number }} Series
 * @typedef {{ top: number, words: "count" | "bytes" | "duration", stacked: boolean, series: Series[] }} Chart
 */
import { readBy } from "./cursor.js";
import { h, patchChildren, path } from "./dom.js";
import * as words from "./words.js";

const WIDTH = 4000;
const HEIGHT = 1000;
const RULES = `M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}`;

/** Draw all charts of a page; a chart's title stands at its picture. */
export function drawCharts(main, { times, charts }) {
  for (const svg of main.querySelectorAll("svg[data-chart]")) draw(svg, charts[svg.dataset.chart], times);
}

function draw(svg, /** @type {Chart} */ chart, times) {
  const { stacked, series, top } = chart;
  const drawn = stacked ? sums(series) : series.map((one) => one.values);
  const told = svg.getAttribute("role") === "img";
  patchChildren(svg, [
    ...(told ? [path("rule", RULES)] : []),
    ...drawn.flatMap((values, at) => (values.some(Boolean) ? [
      ...(stacked ? [path(`area s${series[at].tone}`, area(values, drawn[at - 1], top))] : []),
      path(`line s${series[at].tone}`, line(values, top)),
      path(`dots s${series[at].tone}`, alone(values, top)),
    ] : [])),
    path("cursor", "")]);
  if (told) tell(svg.closest("figure"), svg, chart, times);
}

/** Let the legend tell the values under the cursor, and the table all of them. */
function tell(figure, svg, { series, words: kind }, times) {
  const title = svg.dataset.chart;
  const [at, details] = [".at", "details"].map((one) => figure.querySelector(one));
  const values = figure.querySelectorAll(".legend b");
  const [per, newest] = [at.textContent, [...values].map((one) => one.textContent)];
  const span = times.length ? `${words.timeText(times[0])} to ${words.timeText(times[times.length - 1])}` : "";
  const told = (read) => series.map((one, number) => `${one.name} ${read[number]}`).join(", ");
  const label = span ? `${title}, ${span}. Last: ${told(newest)}` : `${title}: nothing yet`;
  svg.setAttribute("aria-label", label);
  readBy(svg, {
    length: times.length,
    wide: 10,
    under: (across) => Math.round(across * (times.length - 1)),
    show: (place) => {
      const read = place === null ? newest : series.map((one) => words[kind](one.values[place] ?? null));
      const time = place === null ? per : words.timeText(times[place]);
      svg.lastChild.setAttribute("d", place === null ? "" : `M${x(place, times.length)} 0V${HEIGHT}`);
      values.forEach((value, number) => { value.textContent = read[number]; });
      at.textContent = time;
      svg.setAttribute("aria-label", place === null ? label : `${title} at ${time}: ${told(read)}`);
    },
  });
  const fill = () => {
    if (!details.open) return;
    patchChildren(details, [details.firstChild.cloneNode(true), table(title, times, series, words[kind])]);
  };
  details.ontoggle = fill;
  fill();
}

function table(title, times, series, show) {
  const head = series.map((one) => h("th", { scope: "col", class: "number" }, one.name));
  const cells = (at) => series.map((one) => h("td", { class: "number" }, show(one.values[at] ?? null)));
  const rows = times.map((time, at) => h("tr", { "data-key": time }, h("td", {}, words.timeText(time)), ...cells(at)));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}: data` }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), ...head)), h("tbody", {}, ...rows.reverse())));
}

const x = (at, points) => Math.round((at * WIDTH) / Math.max(1, points - 1));
const y = (value, top) => Math.round(HEIGHT - (value * HEIGHT) / top);

function sums(series) {
  /** @type {number[][]} */
  const found = [];
  for (const { values } of series) {
    const below = found[found.length - 1];
    found.push(values.map((value, at) => (value ?? 0) + (below ? below[at] : 0)));
  }
  return found;
}

function line(values, top) {
  let d = "";
  let pen = "M";
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (value === null) pen = "M";
    else {
      d += `${pen}${x(at, values.length)} ${y(value, top)}`;
      pen = "L";
    }
  }
  return d;
}

/** Values whose neighbours are unknown, which a line would not show. */
function alone(values, top) {
  let d = "";
  for (let at = 0; at < values.length; at++) {
    const lone = values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;
    if (lone) d += `M${x(at, values.length)} ${y(values[at], top)}h0`;
  }
  return d;
}

/** What is between two lines of known values; the lower one is the floor if there is none. */
function area(values, below, top) {
  if (values.length < 2) return "";
  const floor = values.map((_, at) => `${x(at, values.length)} ${y(below?.[at] ?? 0, top)}`).reverse();
  return `${line(values, top)}L${floor.join("L")}Z`;
}
