"""The events of a job on its page: how many of each type when, or each by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from events.times import parse_ms
from node.web.views.events import event_table
from node.web.views.html import Child, Element
from node.web.views.parts import Choice, Row, choice, link, pages, table
from node.web.views.route import Route
from node.words import count, duration

AUTHORS = 5
HEADINGS = ("#After", "Event", "#Events", "#Items", "Until", "By")

View = Mapping[str, Any]


def is_each(route: Route) -> bool:
    """Whether each event is to be shown."""
    return route.query.get("view") == "full"


def events_by_type(stretches: Sequence[View], route: Route) -> list[Child]:
    """Return a row for each type."""
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
    return [_choice(route), table("Events by type", HEADINGS, rows)]


def each_event(events: Sequence[View], following: str | None, route: Route) -> list[Child]:
    """Return a row for each event; those behind these are at the address `following`."""
    more = following and pages("Pages of events", link(following, "More"))
    return [_choice(route), event_table(events, route), more]


def _choice(route: Route) -> Element:
    kinds = (("by type", None), ("each", "full"))
    return choice(
        "Events",
        [
            Choice(
                words,
                route.href(view=kind, cursor=None, event=None, type=None),
                is_each(route) == (kind is not None),
            )
            for words, kind in kinds
        ],
    )
