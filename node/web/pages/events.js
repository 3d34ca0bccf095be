// @ts-check
/** Events as rows: who said what when, because of what, and the document itself behind each. */
import { ALONE } from "./api.js";
import { h } from "./dom.js";
import { elsewhere, href } from "./route.js";
import { count, moment } from "./words.js";

const ROLES = { g: "gateway", r: "requester", c: "compute" };

export const EVENT_HEADINGS = ["#Position", "Time", "Event", "By", "What", "Cause"];

/** The rows; the event that was chosen is marked, and so is the chain of its causes. */
export function eventRows(events, route, withJob = false) {
  const chain = causes(events, route.query.get("event"));
  return events.map((event) => {
    return { key: event.id ?? event.position, mark: chain.has(event.id) && "chain", row: [
      ALONE ? count(event.position) : h("a", { href: href(route, { at: event.position }), title: "Show everything as of this event" }, count(event.position)),
      h("span", { class: "once" }, moment(event.time, true)), h("span", { class: `role ${event.role}`, title: ROLES[event.role] ?? "" }, event.type ?? "foreign"), event.author,
      [withJob && event.job && [h("a", { href: elsewhere(route, `jobs/${event.job}`), title: event.job }, `${event.job.slice(0, 12)}…`), " "], event.summary,
        h("details", {}, h("summary", {}, "Document"), h("pre", {}, JSON.stringify(event, null, 2)))],
      event.causation && event.causation !== event.id ? h("a", { class: "once", href: href(route, { event: event.id }), title: event.causation }, causeOf(events, event)) : "",
    ] };
  });
}

function causeOf(events, event) {
  const cause = events.find((one) => one.id === event.causation);
  return cause ? `${cause.type} at ${count(cause.position)}` : "on another page";
}

function causes(events, id) {
  const found = new Set();
  for (let at = id; at && !found.has(at); at = events.find((one) => one.id === at)?.causation) found.add(at);
  return found;
}
