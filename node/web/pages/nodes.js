// @ts-check
/** The nodes: what each can do and has done, and the ring on which jobs fall. */
import { facts, h, search, section, stateOf, table } from "./dom.js";
import { asked, elsewhere, href } from "./route.js";
import { ring } from "./shapes.js";
import { bytes, count, moment } from "./words.js";

const byName = new Intl.Collator("en", { numeric: true });

/** @type {import("./route.js").Page} */
export const nodes = {
  pace_ms: 1000,
  touched: () => true,
  reads: ({ query }) => ({ nodes: "/nodes", ring: `/ring${asked({ job: query.get("job") })}` }),
  draw: ({ nodes: read, ring: drawn }, route) => {
    const given = route.query.get("job") ?? "";
    return [
      h("div", { class: "head", "data-key": "head" }, h("h1", {}, "Nodes"), read && h("span", { class: "note" }, `${count(read.nodes.filter((node) => node.state === "live").length)} of ${count(read.nodes.length)} live`)),
      read && !read.nodes.length && h("div", { class: "empty", "data-key": "empty" }, h("p", {}, "No nodes yet. Start one:"), h("pre", {}, h("code", {}, "lota node serve"))),
      read?.nodes.length && h("ul", { class: "cards", "data-key": "cards" }, [...read.nodes].sort((a, b) => byName.compare(a.name, b.name)).map((node) => h("li", { "data-key": node.name }, card(node)))),
      section("The ring", {}, h("p", { class: "note" }, "Each node's share of the shards is as wide as its arc. For a job, the bars show how its first shards score, and the best are asked first."),
        h("div", { class: "line" }, search(route.query, { job: "job id" }, "Place", (chosen) => { location.hash = href(route, chosen); }), given && h("a", { href: elsewhere(route, `jobs/${given}`) }, "Show the job")),
        drawn?.nodes.length > 0 && h("div", { class: "ring-field" }, ring({ nodes: drawn.nodes, asked: given ? drawn.asked : 0, title: given ? given.slice(0, 10) : "" }),
          table("The ring's order", ["#Rank", "Node", "#Weight", "Why not"], drawn.nodes.map((node) => ({ key: node.name, row: [node.rank ?? "", node.name, count(node.weight), node.refusal] }))))),
    ];
  },
};

function card(node) {
  const compute = node.roles.includes("compute");
  return [
    h("h2", {}, node.name, " ", stateOf(node.quarantined && node.state === "live" ? "quarantined" : node.state)),
    node.reason && h("p", { class: "bad" }, node.reason),
    facts({
      Roles: node.roles.join(", "),
      Capacity: compute && `${count(node.cpu)} CPU, ${bytes(node.memory_bytes)}, ${count(node.width)} at a time${node.gpu ? `, ${node.gpu} GPU` : ""}`,
      "In hand": compute && count(node.executions),
      Engines: node.engines.join(", "),
      Publishers: node.publishers.join(", "),
      Credentials: node.credentials.join(", "),
      Labels: Object.entries(node.labels).map(([name, value]) => h("span", { class: "tag" }, `${name}=${value}`)),
      Verdicts: node.agreed || node.differed ? `${count(node.agreed)} agreed, ${count(node.differed)} differed` : null,
      "Jobs so far": compute && `${count(node.record.won)} won, ${count(node.record.lost)} lost, ${count(node.record.declined)} declined`,
      "Failed runs": compute && count(node.record.failed),
      "Open bids": node.bids.placed > 0 && `${count(node.bids.placed)} placed, ${count(node.bids.won)} won, ${count(node.bids.lost)} lost`,
      "Open failures": Object.entries(node.failures).filter(([, number]) => number).map(([name, number]) => h("span", { class: "tag" }, `${name} ${count(number)}`)),
      Joined: `${moment(node.joined_at)}, version ${node.version}`,
    }),
  ];
}
