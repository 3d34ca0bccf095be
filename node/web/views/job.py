"""One job: where its time went, why it waits, its shards, what was agreed on, where the copies are,
and all of its events.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from events.times import parse_ms
from node.web.api.drawn_job import read_drawn_job
from node.web.api.drawn_result import read_folder, read_output
from node.web.api.jobs import list_job_events
from node.web.views.cells import cells
from node.web.views.copies import copies
from node.web.views.events import event_table
from node.web.views.html import Child, Element, h
from node.web.views.job_head import job_head
from node.web.views.lanes import timeline
from node.web.views.page import Ask, Documents, Page
from node.web.views.parts import (
    Choice,
    Row,
    choice,
    link,
    note,
    pages,
    section,
    table,
)
from node.web.views.picture import PLACE
from node.web.views.route import Route
from node.web.views.shard import shard_part
from node.words import count, duration

EVENTS = 200
AUTHORS = 5
SHARD_DIGITS_MAX = 6

View = Mapping[str, Any]


def reads(route: Route) -> dict[str, Ask]:
    """Return what is drawn of the job, and what was chosen of its events, output and files."""
    name, query = {"id": route.id}, route.query
    shard = _shard(route)
    asks = {"job": Ask(read_drawn_job, name, {"shard": shard})}
    if _each(route):
        asked = {"cursor": query.get("cursor"), "type": query.get("type"), "limit": EVENTS}
        asks["events"] = Ask(list_job_events, name, asked)
    if "output" in route.offers and (stream := query.get("stream")):
        asks["output"] = Ask(read_output, name, {"shard": shard, "stream": stream}, now=True)
    if "output" in route.offers and "path" in query:
        path = unquote(query["path"], errors="surrogateescape")
        asked = {"shard": shard or 0, "path": path, "cursor": query.get("file")}
        asks["files"] = Ask(read_folder, name, asked, now=True)
    return asks


def draw(documents: Documents, route: Route) -> list[Child]:
    """Return the page."""
    view = documents["job"]
    if view is None:
        nothing = note(f"Nothing is known of {route.id} at this moment.")
        return [h("h1", {}, "Job"), nothing]
    return [
        job_head(view, route),
        view["why_waiting"] and _why(view["why_waiting"]),
        timeline(view, route),
        view["shards"] and _shards(view, documents, route),
        any(root["state"] != "none" for root in view["roots"])
        and section("The job's root", copies(view["roots"])),
        section("Events", _choice(route), _events(view, documents.get("events"), route)),
        view["illegal"] and _illegal(view["illegal"]),
    ]


def _span(documents: Documents) -> tuple[int, int] | None:
    view = documents["job"]
    return None if view is None else (view["first"], view["last"])


PAGE = Page(
    reads,
    draw,
    pace_ms=500,
    follows=lambda route: route.id,
    ticks=lambda documents: documents["job"] is None or not documents["job"]["ended_at"],
    span=_span,
)


def _shard(route: Route) -> int | None:
    """Return the shard that was chosen, if the address names one."""
    text = route.query.get("shard", "")
    is_one = text.isascii() and text.isdecimal() and len(text) < SHARD_DIGITS_MAX
    return int(text) if is_one else None


def _each(route: Route) -> bool:
    return route.query.get("view") == "full"


def _why(reasons: list[View]) -> Element:
    rows = [
        h(
            "li",
            {},
            h("b", {}, reason["node"] or reason["stage"]),
            f" {reason['message']}",
            reason["shards"] > 1 and h("small", {}, f" {count(reason['shards'])} shards"),
        )
        for reason in reasons
    ]
    return section("Why it waits", h("ul", {}, rows), kind="why")


def _shards(view: View, documents: Documents, route: Route) -> Element:
    states, shard = view["shards"], view["shard"]
    href = route.href(shard=PLACE, stream=None, path=None, file=None)
    hint = "Choose a shard to see its executions, verdict, copies and output."
    return section(
        "Shards",
        len(states) > 1 and cells(states, shard["index"] if shard else None, href),
        shard_part(view["id"], shard, documents, route) if shard else note(hint),
    )


def _choice(route: Route) -> Element:
    kinds = (("by type", None), ("each", "full"))
    return choice(
        "Events",
        [
            Choice(
                words,
                route.href(view=kind, cursor=None, event=None, type=None),
                _each(route) == (kind is not None),
            )
            for words, kind in kinds
        ],
    )


def _events(view: View, events: View | None, route: Route) -> Child:
    if not _each(route):
        return _by_type(view["timeline"], route)
    if events is None:
        return None
    more = events["next"] and link(route.href(cursor=events["next"]), "More")
    return [event_table(events["events"], route), more and pages("Pages of events", more)]


def _by_type(stretches: list[View], route: Route) -> Element:
    start_ms = parse_ms(stretches[0]["first"]) if stretches else 0
    rows = []
    for one in stretches:
        authors = one["authors"]
        more = f" and {len(authors) - AUTHORS} more" if len(authors) > AUTHORS else ""
        cells = (
            duration(parse_ms(one["first"]) - start_ms),
            link(route.href(view="full", type=one["kind"]), one["kind"]),
            count(one["events"]),
            count(one["items"]),
            duration(parse_ms(one["last"]) - start_ms),
            ", ".join(authors[:AUTHORS]) + more,
        )
        rows.append(Row(cells, key=one["kind"]))
    headings = ("#After", "Event", "#Events", "#Items", "Until", "By")
    return table("Events by type", headings, rows)


def _illegal(stories: list[View]) -> Element:
    rows = [Row((one["kind"], one["author"], one["state"], one["why"])) for one in stories]
    headings = ("Event", "By", "In state", "Why")
    return section("Skipped as illegal", table("Skipped", headings, rows))
