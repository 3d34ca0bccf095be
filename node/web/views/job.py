"""One job: where its time went, why it waits, its shards, what was agreed on, where the copies are,
and all of its events.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from node.web.api.drawn_job import read_drawn_job
from node.web.api.drawn_result import read_folder, read_output
from node.web.api.jobs import list_job_events
from node.web.views.cells import cells, chosen_cell
from node.web.views.copies import copies
from node.web.views.html import Child, Element, h
from node.web.views.job_events import each_event, events_by_type, is_each
from node.web.views.job_head import job_head
from node.web.views.lanes import timeline
from node.web.views.page import Ask, Documents, Page
from node.web.views.parts import Row, note, section, table
from node.web.views.picture import PLACE
from node.web.views.results import result
from node.web.views.route import Route
from node.web.views.shard import shard_part
from node.words import many

EVENTS = 200
SHARD_DIGITS_MAX = 6
HINT = "Choose a shard to see its executions, verdict, copies and output."

View = Mapping[str, Any]


def reads(route: Route) -> dict[str, Ask]:
    """Return what is drawn of the job, and what was chosen of its events, output and files."""
    name, query = {"id": route.id}, route.query
    shard = _shard(route)
    asks = {"job": Ask(read_drawn_job, name, {"shard": shard})}
    if is_each(route):
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
    shard = view["shard"]
    choices = Choices(
        mark=shard and chosen_cell(len(view["shards"]), shard["index"]),
        shard=shard and shard_part(shard, result(view["id"], shard, documents, route)),
        events=_events(view, documents.get("events"), route),
    )
    return page(view, choices, route)


class Choices(NamedTuple):
    """What of a page depends on what was chosen on it: the `mark` of the shard's cell, the shard,
    and the events.
    """

    mark: Child
    shard: Child
    events: Child


def page(view: View, choices: Choices, route: Route) -> list[Child]:
    """Return the page of a job that there is."""
    return [
        job_head(view, route),
        view["why_waiting"] and _why(view["why_waiting"]),
        timeline(view, route),
        view["shards"] and _shards(view["shards"], choices, route),
        any(root["state"] != "none" for root in view["roots"])
        and section("The job's root", copies(view["roots"])),
        section("Events", choices.events),
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


def _why(reasons: list[View]) -> Element:
    rows = [
        h(
            "li",
            {},
            h("b", {}, reason["node"] or reason["stage"]),
            f": {reason['message']}",
            reason["shards"] > 1 and h("small", {}, f" {many(reason['shards'], 'shard')}"),
        )
        for reason in reasons
    ]
    return section("Why it waits", h("ul", {}, rows), kind="why")


def _shards(states: Sequence[str], choices: Choices, route: Route) -> Element:
    href = route.href(shard=PLACE, stream=None, path=None, file=None)
    return section(
        "Shards", len(states) > 1 and cells(states, choices.mark, href), choices.shard or note(HINT)
    )


def _events(view: View, events: View | None, route: Route) -> list[Child]:
    if not is_each(route):
        return events_by_type(view["timeline"], route)
    if events is None:
        return each_event([], None, route)
    following = events["next"] and route.href(cursor=events["next"])
    return each_event(events["events"], following, route)


def _illegal(stories: list[View]) -> Element:
    rows = [Row((one["kind"], one["author"], one["state"], one["why"])) for one in stories]
    headings = ("Event", "By", "In state", "Why")
    return section("Skipped as illegal", table("Skipped", headings, rows))
