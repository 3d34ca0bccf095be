"""Where the time of a job went: its stages side by side, and a lane for each execution."""

from collections.abc import Mapping, Sequence
from typing import Any

from node.web.views.html import Attribute, Child, Element, h
from node.web.views.parts import legend, link, note, section
from node.web.views.picture import PLACE, Place, cursor, readable
from node.web.views.route import Route
from node.words import count, duration, look, many, sign

WIDTH = 1000
LANE = 22
STAGES_HIGH = 10
MARKS = ("awarded", "running", "proposed", "revealed", "publishing")
"""States that last; others are ends."""

END = 4
"""How far from the edge an end is drawn, so that all of it is seen."""

TOLD = 5
"""Lanes that the picture's label tells of."""

Lane = Mapping[str, Any]


def timeline(view: Mapping[str, Any], route: Route) -> Element:
    """Return the section; `view` is what `projections.lanes` says, of some of `executions`."""
    lanes, executions = view["lanes"]["lanes"], view["executions"]
    some = f"{count(len(lanes))} of {many(executions, 'execution')}"
    return section(
        "Timeline",
        _stages(view["lanes"]["stages"]),
        len(lanes) < executions and note(f"{some}: bad ends first, then what took longest."),
        lanes and _lanes(lanes, view["lanes"]["took_ms"], route),
    )


def _stages(stages: Sequence[Mapping[str, Any]]) -> Child:
    whole = sum(stage["total_ms"] for stage in stages) or 1
    paths: list[Element] = []
    words: list[tuple[str, Child]] = []
    left = 0.0
    for at, stage in enumerate(stages):
        kind, share = f"line s{at}", stage["total_ms"] / whole
        right = left + share * WIDTH
        paths.append(h("path", {"class": kind, "d": f"M{left:.1f} {STAGES_HIGH // 2}H{right:.1f}"}))
        left = right
        more = f" median, {duration(stage['longest_ms'])} longest, {share:.0%}"
        words.append(
            (
                kind,
                [
                    f"{stage['stage']} ",
                    h("b", {}, duration(stage["median_ms"])),
                    h("small", {}, more.replace("%", " %")),
                ],
            )
        )
    box = {"viewBox": f"0 0 {WIDTH} {STAGES_HIGH}", "preserveAspectRatio": "none"}
    return [
        h("svg", {"class": "stages", **box, "aria-hidden": "true"}, paths),
        legend(words, "solid"),
    ]


def _lanes(lanes: Sequence[Lane], took_ms: int, route: Route) -> Element:
    leads_to = {"stream": None, "path": None, "file": None}
    names = [
        h(
            "li",
            {},
            link(
                route.href(**{**leads_to, "shard": lane["shard"]}),
                f"{lane['shard']}-{lane['attempt']}",
            ),
            f" {lane['node']}",
        )
        for lane in lanes
    ]
    ends = [
        h(
            "li",
            {"class": look(lane["state"])},
            h("span", {"aria-hidden": "true"}, sign(lane["state"])),
            f" {lane['state']} ",
            h("small", {}, duration(lane["in_hand_ms"])),
        )
        for lane in lanes
    ]
    times = (0, took_ms / 2, took_ms)
    return h(
        "figure",
        {"class": "lanes"},
        h(
            "div",
            {"class": "lanes-field"},
            h("ol", {}, names),
            _picture(lanes, took_ms, route.href(**{**leads_to, "shard": PLACE})),
            h("ol", {"class": "ends"}, ends),
        ),
        h(
            "div",
            {"class": "x", "aria-hidden": "true"},
            [h("span", {}, duration(at)) for at in times],
        ),
        legend((f"mark {state}", state) for state in MARKS),
    )


def _picture(lanes: Sequence[Lane], took_ms: int, href: str) -> Element:
    height = len(lanes) * LANE
    told = [_told(lane) for lane in lanes]
    label = f"{many(len(lanes), 'execution')} over {duration(took_ms)}. {'; '.join(told[:TOLD])}"
    places = (Place(lane["shard"], words) for lane, words in zip(lanes, told, strict=True))
    given = readable(label, places, (1, WIDTH, LANE), href)
    box: dict[str, Attribute] = {
        "viewBox": f"0 0 {WIDTH} {height}",
        "height": height,
        "preserveAspectRatio": "none",
    }
    rules = "".join(f"M{WIDTH * quarter // 4} 0V{height}" for quarter in (1, 2, 3))
    paths = [h("path", {"class": kind, "d": d}) for kind, d in _paths(lanes, took_ms).items()]
    row = cursor(f"M0 {LANE // 2}H{WIDTH}")
    return h("svg", {**given, **box}, row, h("path", {"class": "rule", "d": rules}), paths)


def _paths(lanes: Sequence[Lane], took_ms: int) -> dict[str, str]:
    """Return what is drawn, by its look: how long each state lasted, and the ends."""
    scale = WIDTH / max(1, took_ms)
    parts: dict[str, list[str]] = {f"mark {state}": [] for state in MARKS}
    for number, lane in enumerate(lanes):
        middle, marks = number * LANE + LANE // 2, lane["marks"]
        for at, mark in enumerate(marks):
            state, start = mark["state"], mark["after_ms"] * scale
            if state not in MARKS:
                end = f"M{min(WIDTH - END, start):.1f} {middle}h0"
                parts.setdefault(f"end {look(state)}", []).append(end)
                continue
            until_ms = marks[at + 1]["after_ms"] if at + 1 < len(marks) else took_ms
            length = max(1.0, until_ms * scale - start)
            parts[f"mark {state}"].append(f"M{start:.1f} {middle}h{length:.1f}")
    return {kind: "".join(found) for kind, found in parts.items() if found}


def _told(lane: Lane) -> str:
    name = f"execution {lane['shard']}-{lane['attempt']} on {lane['node']}"
    return f"{name}: {lane['state']} after {duration(lane['in_hand_ms'])}"
