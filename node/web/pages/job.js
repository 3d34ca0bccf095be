// @ts-check
/** One job: where its time went, why it waits, its shards, what was agreed on, where the copies are, and all of its events. */
import { ALONE, BASE, send, TEXT_MAX } from "./api.js";
import { address, choice, facts, h, legend, section, stateOf, table } from "./dom.js";
import { eventRows, EVENT_HEADINGS } from "./events.js";
import { asked, elsewhere, href, readable } from "./route.js";
import { cells, lanes } from "./shapes.js";
import { bytes, count, duration, moment } from "./words.js";

const LANES_MAX = 60;
const EVENTS = 200;
const BAD = ["failed", "rejected", "lost"];

/** @type {import("./route.js").Page} */
export const job = {
  pace_ms: 500,
  ticks: ({ job: view }) => !view?.ended_at,
  touched: (change, route) => change.jobs === null || change.nodes || change.jobs.some((id) => id.startsWith(route.id)),
  span: ({ first, last }) => (first?.events.length && last?.events.length ? [first.events[0].position, last.events[0].position] : null),
  reads: ({ id, query }, known) => {
    const [shard, stream, path] = ["shard", "stream", "path"].map((name) => query.get(name));
    const of = `/jobs/${encodeURIComponent(id)}`;
    return {
      job: of,
      lanes: `${of}/lanes`,
      events: query.get("view") === "full" ? `${of}/events${asked({ limit: EVENTS, cursor: query.get("cursor"), type: query.get("type") })}` : null,
      logs: stream ? { now: `${of}/logs${asked({ shard: shard ?? 0, stream })}` } : null,
      results: path === null ? null : { now: `${of}/results?shard=${shard ?? 0}&path=${path}&cursor=${query.get("file") ?? ""}` },
      first: known.first ? undefined : { now: `/log${asked({ job: id, after: 0, limit: 1 })}` },
      last: known.job?.closed && known.last ? undefined : { now: `/log${asked({ job: id, limit: 1 })}` },
    };
  },
  draw: (data, route) => {
    const view = data.job;
    if (!view) return [h("h1", {}, "Job"), h("p", { class: "note" }, view === null ? `Nothing is known of ${route.id} at this moment.` : "Reading the log…")];
    const known = chosenShard(view, route);
    return [
      head(view, route),
      view.why_waiting.length > 0 && section("Why it waits", { class: "why" }, h("ul", {}, view.why_waiting.map((reason) =>
        h("li", {}, h("b", {}, reason.node ?? reason.stage), ` ${reason.message}`, reason.shards > 1 && h("small", {}, ` ${count(reason.shards)} shards`))))),
      data.lanes && timeline(data.lanes, route),
      view.shards.length > 0 && section("Shards", {},
        view.shards.length > 1 && cells({ shards: view.shards, chosen: known?.index ?? null, choose: (index) => { location.hash = href(route, { shard: index, stream: null, path: null }); } }),
        known ? shardOf(known, view, data, route) : h("p", { class: "note" }, "Choose a shard to see its executions, verdict, copies and output.")),
      view.roots.some((root) => root.state !== "none") && section("The job's root", {}, copies(view.roots)),
      events(view, data, route),
      view.illegal.length > 0 && section("Skipped as illegal", {}, table("Skipped", ["Event", "By", "In state", "Why"],
        view.illegal.map((story) => ({ row: [story.kind, story.author, story.state, story.why] })))),
    ];
  },
};

function chosenShard(view, route) {
  const index = route.query.get("shard") ?? (view.shards.length === 1 ? "0" : null);
  return index === null ? null : view.shards[Number(index)] ?? null;
}

function head(view, route) {
  const { spec } = view;
  const deal = { replicas: 1, ...spec.deal };
  const ended = view.ended_at !== null;
  const can = !ended && route.at === null && view.cancel_asked === null && !ALONE;
  return h("div", { "data-key": "head" },
    h("div", { class: "head" }, h("h1", {}, view.name || command(spec) || view.id), stateOf(view.state),
      h("span", { class: "actions" }, can && cancelling(view),
        !ALONE && h("a", { href: `${BASE}/jobs/${view.id}/export`, download: `job-${view.id}.html` }, "Save as one file"))),
    view.code && h("p", { class: "bad" }, h("b", {}, view.code), ` ${view.reason ?? ""}`),
    facts({
      Id: h("code", {}, view.id),
      Runs: h("code", {}, `${spec.engine} ${command(spec)}`),
      Submitted: `${moment(view.submitted_at)} by ${view.gateway}`,
      Took: ended ? duration(Date.parse(view.ended_at) - Date.parse(view.submitted_at)) : null,
      Deadline: ended ? null : moment(view.deadline_at),
      Deal: `${deal.replicas} per shard, ${deal.confidence ?? deal.replicas} must agree, verifier ${spec.verifier}`,
      Inputs: view.inputs.filter(Boolean).map((input) => h("div", {}, h("code", {}, input.source), ` ${count(input.count)} files, ${bytes(input.size_bytes)}`)),
      Labels: Object.entries(view.labels).map(([name, value]) => h("span", { class: "tag" }, `${name}=${value}`)),
      "Root CID": view.root_cid && h("code", {}, view.root_cid),
      Events: [`${count(view.counts.events)}, ${count(view.counts.late)} late, ${count(view.counts.illegal)} illegal `,
        !ALONE && h("a", { href: elsewhere(route, `nodes?job=${view.id}`) }, "on the ring")],
    }));
}

const command = (spec) => [spec.image, ...(spec.command ?? [])].filter(Boolean).join(" ");

function cancelling(view) {
  const reason = h("input", { name: "reason", required: true, maxlength: 500 });
  const said = h("p", { class: "bad" });
  const dialog = h("dialog", { whole: true, "aria-labelledby": "cancel-title" },
    h("form", { method: "dialog", onsubmit: async (event) => {
      if (event.submitter?.value !== "cancel") return;
      event.preventDefault();
      try {
        await send(`${BASE}/jobs/${view.id}/cancel`, { reason: reason.value });
        dialog.close();
      } catch (problem) {
        said.textContent = /** @type {Error} */ (problem).message;
      }
    } },
    h("h2", { id: "cancel-title" }, "Cancel this job?"), h("p", {}, "What runs is stopped, and what is published stays. It cannot be undone."),
    h("label", {}, "Reason", reason), said,
    h("div", { class: "actions" }, h("button", { value: "cancel", class: "danger" }, "Cancel the job"), h("button", { formnovalidate: true }, "Let it run"))));
  return h("span", { whole: true }, h("button", { type: "button", onclick: () => dialog.showModal() }, "Cancel…"), dialog);
}

function timeline(view, route) {
  const all = view.stages.reduce((sum, stage) => sum + stage.total_ms, 0) || 1;
  let left = 0;
  const looked = [...view.lanes].sort((a, b) => Number(BAD.includes(b.state)) - Number(BAD.includes(a.state)) || b.in_hand_ms - a.in_hand_ms);
  const rows = view.lanes.length > LANES_MAX ? looked.slice(0, LANES_MAX) : view.lanes;
  return section("Timeline", {},
    h("svg", { class: "stages", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" }, view.stages.map((stage, at) => {
      const from = left;
      left += (stage.total_ms / all) * 1000;
      return h("path", { class: `line s${at}`, d: `M${from} 5H${left}` });
    })),
    legend(view.stages.map((stage, at) => [`line s${at}`, stage.stage, " ", h("b", {}, duration(stage.median_ms)),
      h("small", {}, ` median, ${duration(stage.longest_ms)} longest, ${Math.round((stage.total_ms / all) * 100)} %`)]), { class: "solid" }),
    rows.length < view.lanes.length && h("p", { class: "note" }, `${count(rows.length)} of ${count(view.lanes.length)} executions: bad ends first, then what took longest.`),
    rows.length > 0 && lanes({ rows, took_ms: view.took_ms, href: (row) => href(route, { shard: row.shard, stream: null, path: null }) }));
}

function shardOf(shard, view, data, route) {
  const { verdict } = shard;
  const stream = route.query.get("stream");
  const tell = (id) => (verdict?.accepted.includes(id) ? stateOf("accepted") : verdict?.rejected.includes(id) ? stateOf("rejected") : "");
  return h("div", { class: "shard", "data-key": `shard-${shard.index}` },
    h("h3", {}, `Shard ${shard.index} `, stateOf(shard.state)),
    shard.reason && h("p", { class: "bad" }, `${shard.code}: ${shard.reason}`),
    verdict && h("p", {}, h("b", {}, `Verdict: ${verdict.result}. `), `${verdict.reason ?? ""} `, verdict.claim && ["on ", h("code", {}, verdict.claim.cid), `, exit code ${verdict.claim.exit_code}.`]),
    !shard.executions.length && h("p", { class: "note" }, "No node has it yet."),
    shard.executions.length > 0 && table("Executions and what they claim", ["Execution", "Node", "State", "Judged", "#Exit", "#Size", "CID that it claims", "Reason"], shard.executions.map((one) => ({ key: one.id, row: [
      h("code", {}, one.id.split("-").slice(-2).join("-")), one.node, stateOf(one.state), tell(one.id), one.claim?.exit_code ?? "", one.claim ? bytes(one.claim.dag_size_bytes) : "",
      one.claim && h("code", {}, one.claim.cid), one.reason,
    ] }))),
    shard.slots.length > 0 && [h("h4", {}, "Copies"), copies([...shard.publications, ...shard.slots.filter((slot) => slot.state !== "published" && (slot.reason || slot.state !== "idle"))])],
    shard.executions.length > 0 && choice(`Output of shard ${shard.index}`, [
      ...["stdout", "stderr"].map((name) => [name, href(route, { shard: shard.index, stream: name }), stream === name]),
      ...(verdict?.claim ? [["files", href(route, { shard: shard.index, path: "" }), route.query.has("path")]] : [])]),
    data.logs?.length === TEXT_MAX && h("p", { class: "note" }, "This is its beginning. ", h("a", { href: `${BASE}/jobs/${view.id}/logs${asked({ shard: shard.index, stream })}`, download: `${stream}.txt` }, "Save all of it")),
    stream && h("pre", { class: "log", "data-key": "output", tabindex: 0, "aria-label": `${stream} of shard ${shard.index}`, role: "region" }, data.logs ?? "", data.logs === "" && h("i", {}, `${stream} is empty`)),
    data.results && files(shard, view, data.results, route));
}

/** What is in a folder of a result. A path is kept as the server encodes it, since a name may be any bytes. */
function files(shard, view, { entries, next }, route) {
  const path = route.query.get("path");
  const below = ({ encoded }) => (path ? `${path}/${encoded}` : encoded);
  const parts = path.split("/").filter(Boolean);
  const folder = (to) => href(route, { shard: shard.index, path: to, file: null });
  return [
    h("nav", { class: "crumbs", "aria-label": "Folder" }, [["result", ""], ...parts.map((part, at) => [readable(part), parts.slice(0, at + 1).join("/")])].map(([name, to]) =>
      [h("a", { href: folder(to) }, name), " / "])),
    table("Files of the result", ["Name", "#Size", "CID"], entries.map((entry) => ({ key: entry.encoded, row: [
      entry.kind === "folder" ? h("a", { href: folder(below(entry)) }, `${entry.name}/`)
        : h("a", { href: `${BASE}/jobs/${view.id}/results/${shard.index}/${below(entry)}`, download: entry.name }, entry.name),
      bytes(entry.size_bytes), h("code", {}, entry.cid),
    ] }))),
    next && h("nav", { class: "pages", "aria-label": "Pages of the folder" }, h("a", { href: href(route, { file: next }) }, "More")),
  ];
}

function copies(rows) {
  return table("Copies", ["Publisher", "State", "Where", "Node", "#Size", "#Took"], rows.map((copy) => ({ row: [
    copy.publisher, stateOf(copy.state ?? "published"), [copy.uri ? address(copy.uri) : copy.target, copy.reason && h("small", { class: "bad" }, copy.reason)],
    copy.node, copy.size_bytes === undefined ? "" : bytes(copy.size_bytes), copy.duration_ms === undefined ? "" : duration(copy.duration_ms),
  ] })));
}

function events(view, data, route) {
  const full = route.query.get("view") === "full";
  const views = choice("Events", [["by type", null], ["each", "full"]].map(([words, view]) =>
    [words, href(route, { view, cursor: null, event: null, type: null }), full === (view !== null)]));
  if (full) {
    return section("Events", {}, views, data.events && table("Events", EVENT_HEADINGS, eventRows(data.events.events, route)),
      data.events?.next && h("nav", { class: "pages", "aria-label": "Pages of events" }, h("a", { href: href(route, { cursor: data.events.next }) }, "More")));
  }
  const start = view.timeline.length ? Date.parse(view.timeline[0].first) : 0;
  return section("Events", {}, views, table("Events by type", ["#After", "Event", "#Events", "#Items", "Until", "By"], view.timeline.map((row) => ({ key: row.kind, row: [
    duration(Date.parse(row.first) - start), h("a", { href: href(route, { view: "full", type: row.kind }) }, row.kind), count(row.events), count(row.items),
    duration(Date.parse(row.last) - start), row.authors.slice(0, 5).join(", ") + (row.authors.length > 5 ? ` and ${row.authors.length - 5} more` : ""),
  ] }))));
}
