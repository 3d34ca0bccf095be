"""Events as rows: who said what when, because of what, and the document itself behind each."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from node.web.views.html import Child, Element, h
from node.web.views.parts import Row, link, moment, table
from node.web.views.route import Route
from node.words import count

ROLES = {"g": "gateway", "r": "requester", "c": "compute"}
HEADINGS = ("#Position", "Time", "Event", "By", "What", "Cause")
ID_SHOWN = 12

Event = Mapping[str, Any]


def event_table(events: Sequence[Event], route: Route, *, with_job: bool = False) -> Element:
    """Return a table of events; the one that was chosen is marked, and the chain of its causes."""
    by_id = {event["id"]: event for event in events if event["id"] is not None}
    chain = _causes(by_id, route.query.get("event"))
    rows = [
        Row(
            _cells(event, by_id, route, with_job=with_job),
            key=event["id"] or event["position"],
            mark="chain" if event["id"] in chain else None,
        )
        for event in events
    ]
    return table("Events", HEADINGS, rows)


def _cells(
    event: Event, by_id: Mapping[str, Event], route: Route, *, with_job: bool
) -> Sequence[Child]:
    position: Child = count(event["position"])
    if "moments" in route.offers:
        title = "Show everything as of this event"
        position = link(route.href(at=event["position"]), position, title=title)
    role = {"class": f"role {event['role']}", "title": ROLES.get(event["role"], "")}
    job = event["job"] if with_job else None
    document = msgspec.json.format(msgspec.json.encode(event), indent=2).decode()
    return (
        position,
        moment(event["time"], "exact", kind="once"),
        h("span", role, event["type"] or "foreign"),
        event["author"],
        [
            job and [link(route.elsewhere(f"jobs/{job}"), _short(job), title=job), " "],
            event["summary"],
            h("details", {}, h("summary", {}, "Document"), h("pre", {}, document)),
        ],
        _cause(event, by_id, route),
    )


def _short(job: str) -> str:
    return f"{job[:ID_SHOWN]}…"


def _cause(event: Event, by_id: Mapping[str, Event], route: Route) -> Child:
    caused_by = event["causation"]
    if not caused_by or caused_by == event["id"]:
        return None
    cause = by_id.get(caused_by)
    words = f"{cause['type']} at {count(cause['position'])}" if cause else "on another page"
    return link(route.href(event=event["id"]), words, title=caused_by, **{"class": "once"})


def _causes(by_id: Mapping[str, Event], chosen: str | None) -> set[str]:
    """Return an event's id and those of its causes, as far as they are among these."""
    found: set[str] = set()
    while chosen and chosen not in found:
        found.add(chosen)
        chosen = by_id[chosen]["causation"] if chosen in by_id else None
    return found
