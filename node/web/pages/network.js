// @ts-check
/** The network over time: what came in, what was done with it, what failed, and how long each stage takes. */
import { chart, sparkline } from "./chart.js";
import { choice, h, section, table } from "./dom.js";
import { asked, href } from "./route.js";
import { bytes, count, duration } from "./words.js";

const RANGES = { "1m": "1 minute", "10m": "10 minutes", "1h": "1 hour", "6h": "6 hours", "1d": "1 day", "7d": "7 days", "30d": "30 days", "90d": "90 days" };
const RANGE = "10m";
const STAGES = ["total", "queue", "bid", "run", "verify", "publish"];
const NAMES = { total: "From submission to end", queue: "Queue: until an offer", bid: "Bid: until a node has it", run: "Run: until its result", verify: "Verify: until the verdict", publish: "Publish: until the copies" };
const PERCENTILES = ["p50", "p90", "p99"];
const COUNTED = {
  Jobs: ["jobs", ["submitted", "completed", "failed", "cancelled"]],
  Shards: ["shards", ["planned", "completed", "failed", "cancelled"]],
  Bids: ["bids", ["placed", "declined"]],
  Executions: ["executions", ["awarded", "accepted", "rejected", "failed", "lost", "cancelled"]],
  Verdicts: ["verdicts", ["accepted", "failed", "unverified"]],
  Publications: ["publications", ["published", "failed"]],
};
const TONES = { completed: 1, accepted: 1, published: 1, failed: 2, cancelled: 3, lost: 4, declined: 4, unverified: 4, rejected: 5 };
const CLASSES_MAX = 6;
const TILES = { "Open jobs": "open_jobs", "In nodes' hands": "running", "Waiting for a node": "queue", "Nodes live": "nodes" };

const chosen = ({ query }) => query.get("range") ?? RANGE;

/** @type {import("./route.js").Page} */
export const network = {
  pace_ms: 1000,
  ticks: () => true,
  touched: () => true,
  reads: ({ query }) => ({ statistics: `/statistics${asked({ since: chosen({ query }), points: query.get("points") ?? 300 })}` }),
  draw: ({ statistics: read }, route) => {
    if (!read) return [head(route)];
    const { times, series, totals, percentiles } = read;
    const none = times.map(() => null);
    const given = (name) => series[name] ?? none;
    const per = `per ${duration(read.step_s * 1000)}`;
    const counted = (title, family, names) => chart({ title, times, per,
      series: names.map((name) => ({ name, tone: TONES[name] ?? 0, values: given(`${family}.${name}`), total: totals[`${family}.${name}`] ?? 0 })) });
    const spread = (title, family, show) => chart({ title, times, show, series: PERCENTILES.map((name) => ({ name, values: given(`${family}.${name}`) })) });
    const gauges = (title, pairs, show = count) => chart({ title, times, show, series: Object.entries(pairs).map(([name, key]) => ({ name, values: series[`${key}.max`] ?? given(key) })) });
    const failures = Object.keys(series).filter((name) => name.startsWith("failures.")).sort((a, b) => totals[b] - totals[a]).slice(0, CLASSES_MAX);
    return [
      head(route),
      h("ul", { class: "tiles" }, Object.entries(TILES).map(([name, key]) => {
        const values = given(key);
        return h("li", {}, h("span", {}, name), h("b", {}, count(values[values.length - 1])), sparkline(values));
      }), h("li", {}, h("span", {}, `Events in ${RANGES[chosen(route)] ?? "all"}`), h("b", {}, count(totals.events ?? 0)), sparkline(given("events")))),
      section("Work", {}, h("div", { class: "charts" },
        Object.entries(COUNTED).map(([title, [family, names]]) => counted(title, family, names)))),
      section("Load and failures", {}, h("div", { class: "charts" },
        chart({ title: "Failures by class", times, per, stacked: true,
          series: failures.map((name) => ({ name: name.replace("failures.", ""), values: series[name], total: totals[name] })) }),
        gauges("Queue", { "shards waiting": "queue", "executions in hand": "running" }),
        gauges("Processors", { declared: "declared.cpu", used: "used.cpu" }),
        gauges("Memory", { declared: "declared.memory_bytes", used: "used.memory_bytes" }, bytes),
        spread("Messages per job", "messages_per_job", count),
        spread("Bytes per job", "bytes_per_job", bytes))),
      section("Latency by stage", {}, table("Percentiles of the whole range", ["Stage", "#p50", "#p90", "#p99", "#Measured"],
        STAGES.map((stage) => {
          const found = percentiles[`latency.${stage}`] ?? {};
          return { key: stage, row: [NAMES[stage], ...PERCENTILES.map((name) => duration(found[name])), count(found.count ?? 0)] };
        })),
      h("div", { class: "charts" }, STAGES.map((stage) => spread(NAMES[stage], `latency.${stage}`, duration)))),
    ];
  },
};

function head(route) {
  return h("div", { class: "head", "data-key": "head" }, h("h1", {}, "Network"),
    choice("Range", Object.entries(RANGES).map(([range, name]) => [range, href(route, { range }), range === chosen(route), name])));
}
