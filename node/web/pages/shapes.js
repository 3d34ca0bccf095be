// @ts-check
/** Executions as lanes, shards as cells. */
import { h, legend, walk } from "./dom.js";
import { count, duration, look, sign } from "./words.js";

const WIDTH = 1000;
const LANE = 22;
const CELL = 16;
const CELLS_WIDE = 40;
const CELLS_MAX = 1600;
const MARKS = ["awarded", "running", "proposed", "revealed", "publishing"];
const WORST = ["bad", "busy", "warn", "waiting", "gone", "good"];

/** A lane for each execution: when its node had it in which state, since the job was submitted. */
export function lanes({ rows, took_ms, href }) {
  const scale = WIDTH / Math.max(1, took_ms);
  const height = rows.length * LANE;
  const label = `${rows.length} executions over ${duration(took_ms)}. ${rows.slice(0, 5).map(told).join("; ")}`;
  const show = (svg, at) => {
    svg.setAttribute("aria-label", rows[at] ? told(rows[at]) : label);
    svg.firstChild.setAttribute("d", rows[at] ? `M0 ${(at + 0.5) * LANE}H${WIDTH}` : "");
  };
  return h("figure", { class: "lanes" },
    h("div", { class: "lanes-field" },
      h("ol", {}, rows.map((row) => h("li", {}, h("a", { href: href(row) }, `${row.shard}-${row.attempt}`), " ", row.node))),
      h("svg", { role: "img", tabindex: 0, "aria-label": label, viewBox: `0 0 ${WIDTH} ${height}`, height, preserveAspectRatio: "none",
        patched: (svg) => show(svg, svg.place), onkeydown: (event) => walk(event, rows.length, 1, show) },
      h("path", { class: "row", d: "" }),
      h("path", { class: "rule", d: [0.25, 0.5, 0.75].map((part) => `M${WIDTH * part} 0V${height}`).join("") }),
      rows.map((row, number) => row.marks.map((mark, at) => {
        const middle = (number + 0.5) * LANE;
        const next = row.marks[at + 1];
        const start = mark.after_ms * scale;
        if (!MARKS.includes(mark.state)) return h("path", { class: `end ${look(mark.state)}`, d: `M${Math.min(WIDTH - 4, start)} ${middle}h0` });
        const length = (next ? next.after_ms : took_ms) * scale - start;
        return h("path", { class: `mark ${mark.state}`, d: `M${start} ${middle}h${Math.max(1, length)}` });
      }))),
      h("ol", { class: "ends" }, rows.map((row) => h("li", { class: look(row.state) },
        h("span", { "aria-hidden": "true" }, sign(row.state)), ` ${row.state} `, h("small", {}, duration(row.in_hand_ms)))))),
    h("div", { class: "x", "aria-hidden": "true" }, [0, took_ms / 2, took_ms].map((at) => h("span", {}, duration(at)))),
    legend(MARKS.map((state) => [`mark ${state}`, state])));
}

const told = (row) => `execution ${row.shard}-${row.attempt} on ${row.node}: ${row.state} after ${duration(row.in_hand_ms)}`;

/** A cell for each shard, or for as many as it takes to have no more than CELLS_MAX; `choose` is told a shard. */
export function cells({ shards, chosen, choose }) {
  const each = Math.max(1, Math.ceil(shards.length / CELLS_MAX));
  const groups = Array.from({ length: Math.ceil(shards.length / each) }, (_, at) => shards.slice(at * each, (at + 1) * each));
  const wide = Math.min(CELLS_WIDE, groups.length);
  const place = (at) => [(at % wide) * CELL, Math.floor(at / wide) * CELL];
  const paths = {};
  const outline = (at) => { const [left, top] = place(at); return `M${left} ${top}h14v14h-14z`; };
  for (const [at, group] of groups.entries()) {
    const looks = new Set(group.map((shard) => look(shard.state)));
    const worst = /** @type {string} */ (WORST.find((one) => looks.has(one)));
    paths[worst] = (paths[worst] ?? "") + outline(at);
    if (worst === "bad") paths.cross = `${paths.cross ?? ""}M${place(at)[0] + 4} ${place(at)[1] + 4}l6 6m0-6l-6 6`;
    if (worst === "busy") paths.bolt = `${paths.bolt ?? ""}M${place(at)[0] + 5} ${place(at)[1] + 3}l5 4l-5 4z`;
  }
  const name = (at) => {
    const [first, last] = [groups[at][0], groups[at][groups[at].length - 1]];
    return each === 1 ? `shard ${first.index}: ${first.state}` : `shards ${first.index} to ${last.index}: ${tally(groups[at])}`;
  };
  const label = `${count(shards.length)} shards: ${tally(shards)}`;
  const show = (svg, at) => {
    const said = groups[at] ? name(at) : label;
    svg.setAttribute("aria-label", said);
    svg.lastChild.setAttribute("d", groups[at] ? outline(at) : "");
    svg.nextSibling.textContent = said;
  };
  const under = ({ currentTarget: svg, clientX, clientY }) => {
    const { left, top, width } = svg.getBoundingClientRect();
    const size = (width / (wide * CELL)) * CELL;
    return Math.min(groups.length - 1, Math.floor((clientY - top) / size) * wide + Math.floor((clientX - left) / size));
  };
  const size = { width: wide * CELL, height: Math.ceil(groups.length / wide) * CELL };
  return h("div", { class: "cells", patched: ({ firstChild: svg }) => show(svg, svg.place) },
    h("svg", { role: "img", tabindex: 0, "aria-label": label, viewBox: `0 0 ${size.width} ${size.height}`, ...size,
      onpointermove: (event) => show(event.currentTarget, under(event)),
      onpointerleave: (event) => show(event.currentTarget, null),
      onclick: (event) => choose(groups[under(event)][0].index),
      onkeydown: (event) => walk(event, groups.length, wide, show, (at) => choose(groups[at][0].index)) },
    Object.entries(paths).map(([kind, d]) => h("path", { class: `cell ${kind}`, d })),
    h("path", { class: "chosen", d: chosen === null ? "" : outline(Math.floor(chosen / each)) }),
    h("path", { class: "cursor", d: "" })),
    h("p", { class: "note" }, label));
}

function tally(shards) {
  const counts = new Map();
  for (const { state } of shards) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, number]) => `${count(number)} ${state}`).join(", ");
}
