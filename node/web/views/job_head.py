"""The head of a job's page: what it is called, how it stands, and what can be done about it."""

from collections.abc import Mapping
from typing import Any

from events.times import parse_ms
from node.web.views.html import Child, Element, h
from node.web.views.parts import code, facts, link, moment, state_of, tags
from node.web.views.route import Route
from node.words import count, duration, many, size

View = Mapping[str, Any]


def job_head(view: View, route: Route) -> Element:
    """Return the head of the page."""
    return h(
        "div",
        {"data-key": "head"},
        h(
            "div",
            {"class": "head"},
            h("h1", {}, view["name"] or _command(view["spec"]) or view["id"]),
            state_of(view["state"]),
            h("span", {"class": "actions"}, _actions(view, route)),
        ),
        view["code"]
        and h(
            "p",
            {"class": "bad"},
            h("b", {}, view["code"]),
            f": {view['reason']}" if view["reason"] else "",
        ),
        _facts(view, route),
    )


def _actions(view: View, route: Route) -> list[Child]:
    can_cancel = view["ended_at"] is None and view["cancel_asked"] is None and route.at is None
    file = {"href": f"/api/v1/jobs/{view['id']}/export", "download": f"job-{view['id']}.html"}
    return [
        can_cancel and "cancel" in route.offers and _cancelling(view["id"]),
        "save" in route.offers and h("a", file, "Save as one file"),
    ]


def _cancelling(job: str) -> Element:
    """Return a button, and behind it a dialog that changes leave alone."""
    reason = h("input", {"name": "reason", "required": True, "maxlength": 500})
    buttons = [
        h("button", {"value": "cancel", "class": "danger"}, "Cancel the job"),
        h("button", {"formnovalidate": True}, "Let it run"),
    ]
    form = h(
        "form",
        {"method": "dialog", "data-post": f"/api/v1/jobs/{job}/cancel"},
        h("h2", {"id": "cancel-title"}, "Cancel this job?"),
        h("p", {}, "What runs is stopped, and what is published stays. It cannot be undone."),
        h("label", {}, "Reason", reason),
        h("p", {"class": "bad"}),
        h("div", {"class": "actions"}, buttons),
    )
    return h(
        "span",
        {"data-key": "cancel", "data-kept": True},
        h("button", {"type": "button", "data-opens": "cancel"}, "Cancel…"),
        h("dialog", {"id": "cancel", "aria-labelledby": "cancel-title"}, form),
    )


def _facts(view: View, route: Route) -> Element:
    spec, counts = view["spec"], view["counts"]
    deal = {"replicas": 1, **(spec.get("deal") or {})}
    replicas, ended = deal["replicas"], view["ended_at"]
    agree = deal.get("confidence") or replicas
    told = (
        count(counts["events"]),
        *(f"{count(counts[is_])} {is_}" for is_ in ("late", "illegal")),
    )
    return facts(
        {
            "Id": code(view["id"]),
            "Runs": code(f"{spec['engine']} {_command(spec)}"),
            "Submitted": [moment(view["submitted_at"]), f" by {view['gateway']}"],
            "Took": ended and duration(parse_ms(ended) - parse_ms(view["submitted_at"])),
            "Deadline": not ended and view["deadline_at"] and moment(view["deadline_at"]),
            "Deal": f"{replicas} per shard, {agree} must agree, verifier {spec['verifier']}",
            "Inputs": [_input(one) for one in view["inputs"] if one],
            "Labels": tags(view["labels"]),
            "Root CID": view["root_cid"] and code(view["root_cid"]),
            "Events": [
                ", ".join(told) + " ",
                "pages" in route.offers
                and link(route.elsewhere("nodes", job=view["id"]), "on the ring"),
            ],
        }
    )


def _input(one: View) -> Element:
    holds = f" {many(one['count'], 'file')}, {size(one['size_bytes'])}"
    return h("div", {}, code(one["source"]), holds)


def _command(spec: View) -> str:
    return " ".join(part for part in (spec.get("image"), *(spec.get("command") or ())) if part)
