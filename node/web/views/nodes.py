"""The nodes: what each can do and has done, and the ring on which jobs fall."""

import re
from collections.abc import Mapping
from typing import Any

from node.web.api.nodes import get_ring, list_nodes
from node.web.views.html import Child, Element, h
from node.web.views.page import Ask, Documents, Page
from node.web.views.parts import (
    Row,
    facts,
    head,
    link,
    moment,
    none_yet,
    note,
    search,
    section,
    state_of,
    table,
    tags,
)
from node.web.views.ring import ring
from node.web.views.route import Route
from node.words import count, size

NOTE = (
    "Each node's share of the shards is as wide as its arc. For a job, the bars show how its first"
    " shards score, and the best are asked first."
)
HEADINGS = ("#Rank", "Node", "#Weight", "Why not")

Node = Mapping[str, Any]


def reads(route: Route) -> dict[str, Ask]:
    """Return the nodes, and their order for a job."""
    return {
        "nodes": Ask(list_nodes),
        "ring": Ask(get_ring, query={"job": route.query.get("job")}),
    }


def draw(documents: Documents, route: Route) -> list[Child]:
    """Return the page."""
    found = documents["nodes"]
    if found is None:
        return [head("Nodes"), _ring(documents["ring"], route)]
    nodes = sorted(found["nodes"], key=lambda node: _natural(node["name"]))
    live = sum(node["state"] == "live" for node in nodes)
    told = h("span", {"class": "note"}, f"{count(live)} of {count(len(nodes))} live")
    cards = [h("li", {"data-key": node["name"]}, _card(node)) for node in nodes]
    return [
        head("Nodes", told),
        h("ul", {"class": "cards", "data-key": "cards"}, cards)
        if cards
        else none_yet(route, "nodes", "Start one:", "lota node serve"),
        _ring(documents["ring"], route),
    ]


PAGE = Page(reads, draw, pace_ms=1000)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what sorts node-2 before node-10."""
    parts = re.findall(r"(\d+)|(\D+)", name)
    return [(int(number or -1), text.casefold()) for number, text in parts]


def _card(node: Node) -> list[Child]:
    quarantined = node["quarantined"] and node["state"] == "live"
    return [
        h("h2", {}, node["name"], " ", state_of("quarantined" if quarantined else node["state"])),
        node["reason"] and h("p", {"class": "bad"}, node["reason"]),
        facts(
            {
                "Roles": ", ".join(node["roles"]),
                **(_capacity(node) if "compute" in node["roles"] else {}),
                "Publishers": ", ".join(node["publishers"]),
                "Credentials": ", ".join(node["credentials"]),
                "Labels": tags(node["labels"]),
                **_fared(node),
                "Joined": [moment(node["joined_at"]), f", version {node['version']}"],
            }
        ),
    ]


def _capacity(node: Node) -> dict[str, Child]:
    gpu = f", {node['gpu']} GPU" if node["gpu"] else ""
    memory = size(node["memory_bytes"])
    return {
        "Capacity": f"{count(node['cpu'])} CPU, {memory}, {count(node['width'])} at a time{gpu}",
        "In hand": count(node["executions"]),
        "Engines": ", ".join(node["engines"]),
    }


def _fared(node: Node) -> dict[str, Child]:
    compute = "compute" in node["roles"]
    record, bids = node["record"], node["bids"]
    judged = node["agreed"] or node["differed"]
    failures = [
        h("span", {"class": "tag"}, f"{name} {count(number)}")
        for name, number in node["failures"].items()
        if number
    ]
    return {
        "Verdicts": judged and _told(node, "agreed", "differed"),
        "Jobs so far": compute and _told(record, "won", "lost", "declined"),
        "Failed runs": compute and count(record["failed"]),
        "Open bids": bids["placed"] > 0 and _told(bids, "placed", "won", "lost"),
        "Open failures": failures,
    }


def _told(numbers: Mapping[str, Any], *names: str) -> str:
    return ", ".join(f"{count(numbers[name])} {name}" for name in names)


def _ring(found: Mapping[str, Any] | None, route: Route) -> Element:
    job = route.query.get("job", "")
    form = search("Place", {"job": "job id"}, route.query, route.href(job=None))
    to_job = job and link(route.elsewhere(f"jobs/{job}"), "Show the job")
    line = h("div", {"class": "line"}, form, to_job)
    if found is None or not found["nodes"]:
        return section("The ring", note(NOTE), line)
    nodes = found["nodes"]
    asked = found["asked"] or 0
    rows = [
        Row((node["rank"], node["name"], count(node["weight"]), node["refusal"]), key=node["name"])
        for node in nodes
    ]
    order = table("The ring's order", HEADINGS, rows)
    field = h("div", {"class": "ring-field"}, ring(nodes, asked, job), order)
    return section("The ring", note(NOTE), line, field)
