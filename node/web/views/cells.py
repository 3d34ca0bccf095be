"""The shards of a job as cells: one for each, or for as many as it takes to have room for all."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from node.web.views.html import Attribute, Element, h
from node.web.views.picture import Place, cursor, readable
from node.words import count, look

SIZE = 16
WIDE = 40
CELLS_MAX = 1600
WORST = ("bad", "busy", "warn", "waiting", "gone", "good")
"""How a cell of several shards looks: as the first of these that one of them has."""

OUTLINE = "h14v14h-14z"
SIGNS = {"bad": ("cross", 4, 4, "l6 6m0-6l-6 6"), "busy": ("bolt", 5, 3, "l5 4l-5 4z")}
"""What is drawn into a cell besides its colour: its name, from where, and how."""


class _Cell(NamedTuple):
    """A cell: its place in units of the picture, its first shard, and the states of its shards."""

    left: int
    top: int
    first: int
    states: Sequence[str]


def cells(states: Sequence[str], chosen: int | None, href: str) -> Element:
    """Return the picture; a cell leads to `href` with its first shard for `PLACE`."""
    each = -(-len(states) // CELLS_MAX)
    starts = range(0, len(states), each)
    wide = min(WIDE, len(starts))
    drawn = [
        _Cell(at % wide * SIZE, at // wide * SIZE, first, states[first : first + each])
        for at, first in enumerate(starts)
    ]
    label = f"{count(len(states))} shards: {_tally(states)}"
    width, height = wide * SIZE, -(-len(drawn) // wide) * SIZE
    places = (Place(cell.first, _words(cell)) for cell in drawn)
    given = readable(label, places, (wide, SIZE, SIZE), href)
    box: dict[str, Attribute] = {
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
    }
    paths = [h("path", {"class": f"cell {kind}", "d": d}) for kind, d in _paths(drawn).items()]
    mark = "" if chosen is None else _outline(drawn[chosen // each])
    return h(
        "div",
        {"class": "cells", "data-key": "cells"},
        h(
            "svg",
            {**given, **box},
            paths,
            h("path", {"class": "chosen", "d": mark}),
            cursor(f"M0 0{OUTLINE}"),
        ),
        h("p", {"class": "note", "data-said": True}, label),
    )


def _paths(drawn: Sequence[_Cell]) -> dict[str, str]:
    """Return what is drawn, by its look: the cells, and then the signs in them."""
    parts: dict[str, list[str]] = {kind: [] for kind in WORST}
    signs: dict[str, list[str]] = {}
    for cell in drawn:
        looks = {look(state) for state in set(cell.states)}
        worst = next(kind for kind in WORST if kind in looks)
        parts[worst].append(_outline(cell))
        if worst in SIGNS:
            name, across, down, line = SIGNS[worst]
            signs.setdefault(name, []).append(f"M{cell.left + across} {cell.top + down}{line}")
    return {kind: "".join(found) for kind, found in (parts | signs).items() if found}


def _outline(cell: _Cell) -> str:
    return f"M{cell.left} {cell.top}{OUTLINE}"


def _words(cell: _Cell) -> str:
    if len(cell.states) == 1:
        return f"shard {cell.first}: {cell.states[0]}"
    return f"shards {cell.first} to {cell.first + len(cell.states) - 1}: {_tally(cell.states)}"


def _tally(states: Sequence[str]) -> str:
    return ", ".join(f"{count(number)} {state}" for state, number in Counter(states).items())
