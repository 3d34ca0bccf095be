"""Pictures that are read by a cursor: what the browser needs for that, as attributes."""

from collections.abc import Iterable
from typing import NamedTuple

from node.web.views.html import Attribute, Element, h

PLACE = "~place~"
"""In an address, where the number of the chosen place goes."""


class Place(NamedTuple):
    """A place of a picture: the number that its address takes, and what is said there."""

    number: int
    words: str


def readable(
    label: str, places: Iterable[Place], grid: tuple[int, float, float], href: str
) -> dict[str, Attribute]:
    """Return the attributes of an SVG whose places are read by arrow keys or a pointer.

    `grid` says how many places stand beside each other, and how wide and high each is, in units of
    the view box. What is chosen leads to `href`, with its number for `PLACE`. In it there has to be
    a `cursor`; an element with `data-said` beside it shows in words what the cursor is on.
    """
    lines = (f"{place.number} {' '.join(place.words.split())}" for place in places)
    return {
        "role": "img",
        "tabindex": 0,
        "aria-label": label,
        "data-label": label,
        "data-grid": " ".join(f"{number:g}" for number in grid),
        "data-places": "\n".join(lines),
        "data-href": href,
    }


def cursor(outline: str) -> Element:
    """Return the cursor of a picture, as it stands on the first place: the data of a path."""
    return h("path", {"class": "cursor", "d": outline, "visibility": "hidden"})
