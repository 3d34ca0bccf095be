// @ts-check
/** The log itself, newest first, and how far each projection has read it. */
import { h, search, section, table } from "./dom.js";
import { EVENT_HEADINGS, eventRows } from "./events.js";
import { asked, href } from "./route.js";
import { count } from "./words.js";

const FILTERS = { type: "type, as in job.failed", job: "job id", author: "author" };
const PAGE = 100;

/** @type {import("./route.js").Page} */
export const log = {
  pace_ms: 250,
  touched: (_, { query }) => !query.get("before"),
  reads: ({ query }) => ({
    log: `/log${asked({ type: query.get("type"), job: query.get("job"), author: query.get("author"), before: query.get("before"), limit: PAGE })}`,
    projections: { now: "/projections" },
  }),
  draw: ({ log: read, projections }, route) => {
    const { query } = route;
    const oldest = read?.events[read.events.length - 1];
    return [
      h("div", { class: "head", "data-key": "head" }, h("h1", {}, "Log"),
        search(query, FILTERS, "Filter", (given) => { location.hash = href(route, { ...given, before: null }); }),
        read && h("span", { class: "note" }, `positions ${count(read.first)} to ${count(read.last)}`)),
      read && !read.events.length && h("p", { class: "empty", "data-key": "empty" }, "No event is like that."),
      read?.events.length && table("Events", EVENT_HEADINGS, eventRows(read.events, route, true)),
      read && h("nav", { class: "pages", "aria-label": "Pages of the log", "data-key": "pages" },
        query.get("before") && h("a", { href: href(route, { before: null }) }, "Newest"),
        oldest && oldest.position > read.first && h("a", { href: href(route, { before: oldest.position }) }, "Older")),
      projections && section("Projections", {}, table("Projections", ["Name", "#Version", "#Position", "#Behind"],
        projections.map((one) => ({ key: one.name, row: [one.name, one.version, count(one.position), count(one.lag)] })))),
    ];
  },
};
