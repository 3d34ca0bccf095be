"""The shards of a job as cells: one for each, or for as many as it takes to have room for all."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from node.web.views.html import Attribute, Child, Element, h
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


def cells(states: Sequence[str], mark: Child, href: str) -> Element:
    """Return the picture; a cell leads to `href` with its first shard for `PLACE`.

    `mark` is that of a `chosen_cell`.
    """
    each, wide = _each(len(states)), _wide(len(states))
    drawn = [
        _Cell(*_corner(at, wide), first, states[first : first + each])
        for at, first in enumerate(range(0, len(states), each))
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
    return h(
        "div",
        {"class": "cells", "data-key": "cells"},
        h("svg", {**given, **box}, paths, mark, cursor(f"M0 0{OUTLINE}")),
        h("p", {"class": "note", "data-said": True}, label),
    )


def chosen_cell(shards: int, chosen: int) -> Element:
    """Return the mark of the cell of a shard, of so many."""
    left, top = _corner(chosen // _each(shards), _wide(shards))
    return h("path", {"class": "chosen", "d": f"M{left} {top}{OUTLINE}"})


def _each(shards: int) -> int:
    """Return how many shards a cell stands for."""
    return -(-shards // CELLS_MAX)


def _wide(shards: int) -> int:
    return min(WIDE, -(-shards // _each(shards)))


def _corner(at: int, wide: int) -> tuple[int, int]:
    return at % wide * SIZE, at // wide * SIZE


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
