"""One shard of a job: who ran it, what was agreed on, where the copies are, what it came to."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from node.web.views.copies import copies
from node.web.views.html import Attribute, Child, Element, h
from node.web.views.page import Documents
from node.web.views.parts import Choice, Row, choice, code, link, note, pages, state_of, table
from node.web.views.route import Route
from node.words import size

HEADINGS = (
    "Execution",
    "Node",
    "State",
    "Judged",
    "#Exit",
    "#Size",
    "CID that it claims",
    "Reason",
)
STREAMS = ("stdout", "stderr")

View = Mapping[str, Any]


def shard_part(job: str, shard: View, documents: Documents, route: Route) -> Element:
    """Return what there is to say of a shard, and what was chosen of its output and its files."""
    return h(
        "div",
        {"class": "shard", "data-key": f"shard-{shard['index']}"},
        h("h3", {}, f"Shard {shard['index']} ", state_of(shard["state"])),
        shard["reason"] and h("p", {"class": "bad"}, f"{shard['code']}: {shard['reason']}"),
        shard["verdict"] and _verdict(shard["verdict"]),
        _executions(shard) if shard["executions"] else note("No node has it yet."),
        shard["slots"] and [h("h4", {}, "Copies"), copies(_copies(shard))],
        shard["executions"] and "output" in route.offers and _choices(shard, route),
        documents.get("output") and _output(job, shard, documents["output"], route),
        documents.get("files") and _files(job, shard, documents["files"], route),
    )


def _verdict(verdict: View) -> Element:
    """Say what was decided, on what, and why."""
    reason, claim = verdict["reason"] or "", verdict["claim"]
    if reason == "unverified":
        reason = "Nobody else ran it: one node's word"
    said: Child = reason[:1].upper() + reason[1:]
    if claim:
        said = [said, " on ", code(claim["cid"]), f", exit code {claim['exit_code']}."]
    return h("p", {}, h("b", {}, f"Verdict: {verdict['result']}."), " ", said)


def _executions(shard: View) -> Element:
    verdict = shard["verdict"] or {"accepted": (), "rejected": ()}
    rows = []
    for one in shard["executions"]:
        judged = next((is_ for is_ in ("accepted", "rejected") if one["id"] in verdict[is_]), None)
        claim = one["claim"]
        cells = (
            code("-".join(one["id"].split("-")[-2:])),
            one["node"],
            state_of(one["state"]),
            judged and state_of(judged),
            claim and claim["exit_code"],
            claim and size(claim["dag_size_bytes"]),
            claim and code(claim["cid"]),
            one["reason"],
        )
        rows.append(Row(cells, key=one["id"]))
    return table("Executions and what they claim", HEADINGS, rows)


def _copies(shard: View) -> list[View]:
    """Return the copies that there are, and the publications that have more to say."""
    told = [
        slot
        for slot in shard["slots"]
        if slot["state"] != "published" and (slot["reason"] or slot["state"] != "idle")
    ]
    return [*shard["publications"], *told]


def _choices(shard: View, route: Route) -> Element:
    index, chosen = shard["index"], route.query.get("stream")
    items = [Choice(name, route.href(shard=index, stream=name), name == chosen) for name in STREAMS]
    if shard["verdict"] and shard["verdict"]["claim"]:
        href = route.href(shard=index, path="", file=None)
        items.append(Choice("files", href, "path" in route.query))
    return choice(f"Output of shard {index}", items)


def _output(job: str, shard: View, output: View, route: Route) -> list[Child]:
    index, stream = shard["index"], route.query.get("stream")
    given: dict[str, Attribute] = {
        "class": "log",
        "data-key": "output",
        "tabindex": 0,
        "role": "region",
    }
    label = f"{stream} of shard {index}"
    href = f"/api/v1/jobs/{job}/logs?shard={index}&stream={stream}"
    return [
        not output["whole"]
        and note("This is its beginning. ", link(href, "Save all of it", download=f"{stream}.txt")),
        h(
            "pre",
            {**given, "aria-label": label},
            output["text"] or h("i", {}, f"{stream} is empty"),
        ),
    ]


def _files(job: str, shard: View, folder: View, route: Route) -> list[Child]:
    """Return what is in a folder of a result.

    A path is kept in the address as the API encodes it, name by name, since a name may be any
    bytes.
    """
    index, path = shard["index"], route.query.get("path", "").strip("/")
    parts = path.split("/") if path else []

    def listed(to: str) -> str:
        return route.href(shard=index, path=to, file=None)

    crumbs: list[Child] = [
        [
            link(listed("/".join(parts[:depth])), unquote(parts[depth - 1]) if depth else "result"),
            " / ",
        ]
        for depth in range(len(parts) + 1)
    ]
    rows = []
    for entry in folder["entries"]:
        below = "/".join([*parts, entry["encoded"]])
        if entry["kind"] == "folder":
            name = link(listed(below), f"{entry['name']}/")
        else:
            href = f"/api/v1/jobs/{job}/results/{index}/{quote(below, safe='/%')}"
            name = link(href, entry["name"], download=entry["name"])
        rows.append(
            Row((name, size(entry["size_bytes"]), code(entry["cid"])), key=entry["encoded"])
        )
    more = folder["next"] and link(route.href(file=folder["next"]), "More")
    return [
        h("nav", {"class": "crumbs", "aria-label": "Folder", "data-key": "crumbs"}, crumbs),
        table("Files of the result", ("Name", "#Size", "CID"), rows),
        more and pages("Pages of the folder", more),
    ]
