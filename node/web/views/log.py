"""The log itself, newest first, and how far each projection has read it."""

from node.web.api.log import read_log
from node.web.api.statistics import list_projections
from node.web.views.events import event_table
from node.web.views.html import Child, h
from node.web.views.page import ANY, Ask, Documents, Page
from node.web.views.parts import Row, head, link, pages, search, section, table
from node.web.views.route import Route
from node.words import count

FILTERS = {"type": "type, as in job.failed", "job": "job id", "author": "author"}
EVENTS = 100


def reads(route: Route) -> dict[str, Ask]:
    """Return a page of the log, and how far it has been read."""
    asked = {name: route.query.get(name) for name in (*FILTERS, "before")}
    return {
        "log": Ask(read_log, query={**asked, "limit": EVENTS}),
        "projections": Ask(list_projections, now=True),
    }


def draw(documents: Documents, route: Route) -> list[Child]:
    """Return the page."""
    log, projections = documents["log"], documents["projections"]
    nowhere = route.href(before=None, **dict.fromkeys(FILTERS))
    return [
        head(
            "Log",
            search("Filter", FILTERS, route.query, nowhere),
            log
            and h(
                "span",
                {"class": "note"},
                f"positions {count(log['first'])} to {count(log['last'])}",
            ),
        ),
        log and _events(log, route),
        projections
        and section(
            "Projections",
            table(
                "Projections",
                ("Name", "#Version", "#Position", "#Behind"),
                [
                    Row(
                        (one["name"], one["version"], count(one["position"]), count(one["lag"])),
                        key=one["name"],
                    )
                    for one in projections
                ],
            ),
        ),
    ]


def _events(log: Documents, route: Route) -> list[Child]:
    events = log["events"]
    older = events and events[-1]["position"] > log["first"]
    return [
        event_table(events, route, with_job=True)
        if events
        else h("p", {"class": "empty", "data-key": "empty"}, "No event is like that."),
        pages(
            "Pages of the log",
            route.query.get("before") and link(route.href(before=None), "Newest"),
            older and link(route.href(before=events[-1]["position"]), "Older"),
        ),
    ]


PAGE = Page(
    reads,
    draw,
    pace_ms=250,
    follows=lambda route: "" if route.query.get("before") else ANY,
)
