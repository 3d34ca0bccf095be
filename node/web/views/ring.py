"""The nodes on a ring, each with an arc as wide as its weight.

For a job, a bar shows how a node scores and its rank stands beside it: the first few are offered
its shards.
"""

from collections.abc import Mapping, Sequence
from math import cos, pi, sin
from typing import Any

from node.web.views.html import Attribute, Element, h

CENTRE = 160
ARC_RADIUS = 92
TEXT_RADIUS = 112
SCORE_RADII = (82, 76, 42)
"""Where the bar of a score begins, ends for none, and ends for the best."""

GAP = 0.02
NAMED_MAX = 24
NAME_LENGTH_MAX = 12
TITLE_LENGTH_MAX = 10
COLOURS = 6
BESIDE = 5
"""So far beside the centre a name still stands above or below the ring."""


Node = Mapping[str, Any]


def ring(nodes: Sequence[Node], asked: int, job: str) -> Element:
    """Return the picture; the `asked` first of the nodes are offered a shard of the job."""
    title = job[:TITLE_LENGTH_MAX]
    whole = sum(node["weight"] for node in nodes) or 1
    best = max((node["score"] or 0 for node in nodes), default=0) or 1
    parts, turn = [], 0.0
    for number, node in enumerate(nodes):
        end = turn + node["weight"] / whole * 2 * pi
        picked = node["rank"] is not None and node["rank"] <= asked
        kind = "gone" if node["refusal"] else "picked" if picked else "apart"
        inside = [
            _arc(turn, end, number, alone=len(nodes) == 1),
            _score((turn + end) / 2, (node["score"] or 0) / best),
            len(nodes) <= NAMED_MAX and _name((turn + end) / 2, node, picked=picked),
        ]
        parts.append(h("g", {"class": kind}, inside))
        turn = end
    centre: dict[str, Attribute] = {
        "class": "centre",
        "x": CENTRE,
        "y": CENTRE + 4,
        "text-anchor": "middle",
    }
    given: dict[str, Attribute] = {"class": "ring", "viewBox": "-60 0 440 320"}
    given |= {"role": "img", "tabindex": 0, "aria-label": _label(nodes, asked, title)}
    return h("svg", given, parts, h("text", centre, title))


def _label(nodes: Sequence[Node], asked: int, title: str) -> str:
    picked = [node for node in nodes if node["rank"] and node["rank"] <= asked]
    picked.sort(key=lambda node: node["rank"])
    names = ", then ".join(node["name"] for node in picked)
    label = f"Ring of {len(nodes)} nodes"
    return f"{label}. {title} is offered to {names}" if names else label


def _arc(start: float, end: float, number: int, *, alone: bool) -> Element:
    gap = 0.001 if alone else min(GAP, (end - start) / 8)
    start, end = start + gap, end - gap
    sweep = f"{ARC_RADIUS} {ARC_RADIUS} 0 {int(end - start > pi)} 1"
    path = f"M{_point(start, ARC_RADIUS)}A{sweep} {_point(end, ARC_RADIUS)}"
    return h("path", {"class": f"arc c{number % COLOURS}", "d": path})


def _score(turn: float, share: float) -> Element | None:
    if not share:
        return None
    begin, none, best = SCORE_RADII
    reach = none - (none - best) * min(1, share)
    path = f"M{_point(turn, begin)}L{_point(turn, reach)}"
    return h("path", {"class": "score", "d": path})


def _name(turn: float, node: Node, *, picked: bool) -> Element:
    across, down = _polar(turn, TEXT_RADIUS)
    name = node["name"]
    if len(name) > NAME_LENGTH_MAX:
        name = f"{name[: NAME_LENGTH_MAX - 1]}…"
    side = across - CENTRE
    anchor = "middle" if abs(side) <= BESIDE else "start" if side > 0 else "end"
    words = f"{node['rank']}. {name}" if picked else name
    return h("text", {"x": across, "y": down + 4, "text-anchor": anchor}, words)


def _polar(turn: float, radius: float) -> tuple[float, float]:
    return round(CENTRE + radius * sin(turn), 1), round(CENTRE - radius * cos(turn), 1)


def _point(turn: float, radius: float) -> str:
    return "{:g} {:g}".format(*_polar(turn, radius))
