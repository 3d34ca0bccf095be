"""The jobs, newest first: by state, label and words."""

from collections.abc import Mapping
from typing import Any, get_args

from events.times import parse_ms
from node.web.api.jobs import list_jobs
from node.web.views.html import Child, h
from node.web.views.page import Ask, Documents, Page
from node.web.views.parts import (
    Choice,
    Row,
    choice,
    empty,
    head,
    link,
    moment,
    none_yet,
    pages,
    search,
    state_of,
    table,
    tags,
)
from node.web.views.route import Route
from node.words import count, duration
from projections.state import JobState

FIELDS = {"q": "name, id or label", "label": "label=value"}
FILTERS = ("state", *FIELDS, "cursor")
HEADINGS = ("State", "Job", "Engine", "Shards", "Submitted", "#Took")
JOBS = 50


def reads(route: Route) -> dict[str, Ask]:
    """Return a page of the list."""
    query = {name: route.query.get(name) for name in FILTERS}
    return {"jobs": Ask(list_jobs, query={**query, "limit": JOBS})}


def draw(documents: Documents, route: Route) -> list[Child]:
    """Return the page."""
    state = route.query.get("state")
    states = (
        Choice(name or "all", route.href(state=name, cursor=None), name == state)
        for name in (None, *get_args(JobState))
    )
    nowhere = route.href(cursor=None, **dict.fromkeys(FIELDS))
    top = head("Jobs", choice("State", states), search("Search", FIELDS, route.query, nowhere))
    page = documents["jobs"]
    if page is None:
        return [top]
    links = pages(
        "Pages of the list",
        route.query.get("cursor") and link(route.href(cursor=None), "Newest"),
        page["next"] and link(route.href(cursor=page["next"]), "Older"),
    )
    if not page["jobs"]:
        return [top, _nothing(route), links]
    rows = [Row(_cells(row, route), key=row["id"]) for row in page["jobs"]]
    return [top, table("Jobs", HEADINGS, rows), links]


PAGE = Page(reads, draw, pace_ms=500)


def _nothing(route: Route) -> Child:
    if any(route.query.get(name) for name in FILTERS):
        all_jobs = link(route.elsewhere("jobs"), "Show all jobs")
        return empty(h("p", {}, "No job is like that."), all_jobs)
    return none_yet(route, "jobs", "Submit one:", "lota run -- echo hello")


def _cells(row: Mapping[str, Any], route: Route) -> tuple[Child, ...]:
    name = row["name"] or row["command"]
    took = parse_ms(row["ended_at"]) - parse_ms(row["submitted_at"]) if row["ended_at"] else None
    return (
        state_of(row["state"]),
        [
            link(route.elsewhere(f"jobs/{row['id']}"), name or row["id"]),
            " ",
            tags(row["labels"]),
            name and h("small", {}, row["id"]),
            _end(row),
        ],
        row["engine"],
        _progress(**row["shards"]),
        moment(row["submitted_at"], kind="once"),
        None if took is None else duration(took),
    )


def _end(row: Mapping[str, Any]) -> Child:
    """Return how a job ended badly, unless its state says all there is."""
    code, reason = row["code"], row["reason"]
    if not code or (code == row["state"] and not reason):
        return None
    return h("small", {"class": "bad brief"}, f"{code}: {reason}" if reason else code)


def _progress(*, total: int, completed: int, failed: int, **_: int) -> Child:
    if not total:
        return None
    good, bad = (round(part / total * 100) for part in (completed, failed))
    words = f"{count(completed)} of {count(total)}"
    field = {"viewBox": "0 0 100 6", "aria-hidden": "true", "preserveAspectRatio": "none"}
    bar = h(
        "svg",
        {"class": "bar", **field},
        h("path", {"class": "good", "d": f"M0 3h{good}"}),
        failed and h("path", {"class": "bad", "d": f"M{100 - bad} 3h{bad}"}),
    )
    return [bar, h("small", {}, f"{words}, {count(failed)} failed" if failed else words)]
