"""What a page is: a function of its address, by way of the documents that it reads."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from node.web.views.html import Attribute, Child, Element, h
from node.web.views.route import Route

Documents = Mapping[str, Any]
"""What a page reads, by the names that it gave; None is what could not be read."""

ANY = "*"


class Ask(msgspec.Struct, frozen=True):
    """A document to be read: from which handler of the API, with what in its path and its query.

    What is None or empty in the query is left out. It is read as of the page's moment, or as of
    `now` whatever that is.
    """

    handle: Callable[..., Awaitable[Any]]
    path: Mapping[str, str] = {}
    query: Mapping[str, str | int | None] = {}
    now: bool = False


class Page(msgspec.Struct, frozen=True):
    """How a page is made, and when it is made anew.

    `reads` says which documents it takes, `draw` makes its elements of them. It is made anew after
    the changes that it `follows` (`ANY`, of the jobs whose ids begin so, or none for ""), every few
    seconds while it `ticks` (what cannot hear of changes is noticed by that), and at most once in
    `pace_ms`. `span` is from where to where its slider goes, None for the whole log.
    """

    reads: Callable[[Route], Mapping[str, Ask]]
    draw: Callable[[Documents, Route], list[Child]]
    pace_ms: int
    follows: Callable[[Route], str] = lambda _: ANY
    ticks: Callable[[Documents], bool] = lambda _: True
    span: Callable[[Documents], tuple[int, int] | None] = lambda _: None


class Moment(msgspec.Struct, frozen=True):
    """What a page shows: the log from `first` as of a position, where the newest event was then.

    `newest` is where the log ends now.
    """

    first: int
    position: int
    newest: int
    time: str | None


class Standing(msgspec.Struct, frozen=True):
    """What a page says while all is well, now and in the past; `live` leads from there to now."""

    live: str
    now: str
    past: str


def shown(
    page: Page,
    documents: Documents,
    route: Route,
    moment: Moment,
    standing: Standing,
    problem: str = "",
) -> Element:
    """Return what the browser has to know besides what it shows; it stands before that.

    `problem` says what could not be read, and why.
    """
    first, last = page.span(documents) or (moment.first, None)
    given: dict[str, Attribute] = {
        "page": "jobs" if route.page == "job" else route.page,
        "first": first,
        "last": last,  # without one the slider goes to the newest position that is known
        "position": moment.position,
        "newest": moment.newest,
        "time": moment.time,
        "pace": page.pace_ms,
        "follows": page.follows(route),
        "ticks": page.ticks(documents),
        "live": standing.live,
        "said": standing.now if route.at is None else standing.past,
        "problem": problem or None,
    }
    return h(
        "template", {"id": "shown", **{f"data-{name}": value for name, value in given.items()}}
    )
