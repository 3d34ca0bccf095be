"""Copies of what a job came to, at its publishers: those that are there, and those to come."""

from collections.abc import Iterable, Mapping
from typing import Any

from node.web.views.html import Element, h
from node.web.views.parts import Row, address, state_of, table
from node.words import duration, size

HEADINGS = ("Publisher", "State", "Where", "Node", "#Size", "#Took")


def copies(given: Iterable[Mapping[str, Any]]) -> Element:
    """Return a table of copies, and of publications that are under way or have failed."""
    return table("Copies", HEADINGS, [_row(copy) for copy in given])


def _row(copy: Mapping[str, Any]) -> Row:
    reason = copy.get("reason")
    return Row(
        (
            copy["publisher"],
            state_of(copy.get("state", "published")),
            [
                address(copy["uri"]) if copy.get("uri") else copy["target"],
                reason and h("small", {"class": "bad"}, reason),
            ],
            copy["node"],
            "size_bytes" in copy and size(copy["size_bytes"]),
            "duration_ms" in copy and duration(copy["duration_ms"]),
        )
    )
