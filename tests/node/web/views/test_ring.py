"""The ring: who has how much of it, and who is asked."""

import re
from typing import Any

from node.web.views.html import render
from node.web.views.ring import ring


def node(number: int, *, weight: float = 1.0, **told: Any) -> dict[str, Any]:
    """Return a node on the ring."""
    row = {"name": f"node-{number}", "weight": weight, "score": None, "rank": None, "refusal": None}
    return {**row, **told}


def test_the_nodes_that_are_asked_are_told_in_order() -> None:
    """Who cannot see the picture reads in its label whom a job is offered to."""
    nodes = [node(1, rank=2), node(2, rank=1), node(3, rank=3)]
    assert "Ring of 3 nodes. 01kb2m is offered to node-2, then node-1" in render(
        ring(nodes, 2, "01kb2m")
    )


def test_each_node_has_an_arc_and_those_that_cannot_are_gone() -> None:
    """A node that is refused stays on the ring, in the background."""
    html = render(ring([node(1, rank=1), node(2, refusal="no room")], 1, "j"))
    assert re.findall(r'<g class="(\w+)"><path class="arc', html) == ["picked", "gone"]


def test_a_ring_of_one_or_of_nothing_is_drawn() -> None:
    """One node has the whole ring, and nodes without weight divide by nothing."""
    assert "A92 92 0 1 1" in render(ring([node(1)], 0, ""))
    assert "Ring of 0 nodes" in render(ring([], 0, ""))
    assert "nan" not in render(ring([node(1, weight=0.0), node(2, weight=0.0)], 0, ""))
