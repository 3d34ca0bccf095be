// @ts-check
/** The jobs, newest first: by state, label and words. */
import { choice, h, search, stateOf, table } from "./dom.js";
import { asked, elsewhere, href } from "./route.js";
import { count, duration, moment } from "./words.js";

const STATES = ["submitted", "running", "completed", "failed", "cancelled"];
const FIELDS = { q: "name, id or label", label: "label=value" };
const PAGE = 50;

/** @type {import("./route.js").Page} */
export const jobs = {
  pace_ms: 500,
  touched: () => true,
  reads: ({ query }) => {
    const given = Object.fromEntries(["state", "q", "label", "cursor"].map((name) => [name, query.get(name)]));
    return { jobs: `/jobs${asked({ ...given, limit: PAGE })}` };
  },
  draw: ({ jobs: read }, route) => {
    const { query } = route;
    const state = query.get("state");
    const filtered = ["state", "q", "label", "cursor"].some((name) => query.get(name));
    return [
      h("div", { class: "head", "data-key": "head" }, h("h1", {}, "Jobs"),
        choice("State", [null, ...STATES].map((name) => [name ?? "all", href(route, { state: name, cursor: null }), name === state])),
        search(query, FIELDS, "Search", (given) => { location.hash = href(route, { ...given, cursor: null }); })),
      read && !read.jobs.length && h("div", { class: "empty", "data-key": "empty" }, filtered
        ? [h("p", {}, "No job is like that."), h("a", { href: elsewhere(route, "jobs") }, "Show all jobs")]
        : [h("p", {}, "No jobs yet. Submit one:"), h("pre", {}, h("code", {}, "lota run -- echo hello"))]),
      read?.jobs.length && table("Jobs", ["State", "Job", "Engine", "Shards", "Submitted", "#Took"], read.jobs.map((row) => ({ key: row.id, row: [
        stateOf(row.state),
        [h("a", { href: elsewhere(route, `jobs/${row.id}`) }, row.name || row.command || row.id), " ",
          Object.entries(row.labels).map(([name, value]) => h("span", { class: "tag" }, `${name}=${value}`)),
          (row.name || row.command) && h("small", {}, row.id),
          row.code ? h("small", { class: "bad" }, `${row.code}: ${row.reason ?? ""}`) : null],
        row.engine, progress(row.shards), h("span", { class: "once" }, moment(row.submitted_at)), row.ended_at ? duration(Date.parse(row.ended_at) - Date.parse(row.submitted_at)) : "",
      ] }))),
      read && h("nav", { class: "pages", "aria-label": "Pages of the list", "data-key": "pages" },
        query.get("cursor") && h("a", { href: href(route, { cursor: null }) }, "Newest"),
        read.next && h("a", { href: href(route, { cursor: read.next }) }, "Older")),
    ];
  },
};

function progress({ total, completed, failed }) {
  if (!total) return "";
  const bad = Math.round((failed / total) * 100);
  return [h("svg", { class: "bar", viewBox: "0 0 100 6", "aria-hidden": "true", preserveAspectRatio: "none" },
    h("path", { class: "good", d: `M0 3h${Math.round((completed / total) * 100)}` }), failed ? h("path", { class: "bad", d: `M${100 - bad} 3h${bad}` }) : null),
  h("small", {}, `${count(completed)} of ${count(total)}${failed ? `, ${count(failed)} failed` : ""}`)];
}
