"""Events as rows, and what follows the log."""

from typing import Any, Literal

from node.web.api.documents import Document


class EventRow(Document, frozen=True):
    """One event, understood.

    `role` says whose it is: of a requester (`r`), a compute node (`c`) or a gateway (`g`). A
    message that is none of Lota's has null for all that it does not say, and `summary` tells why.
    Of what only a newer version of Lota knows (`newer`), `data` is null.
    """

    position: int
    subject: str
    job: str | None
    type: str | None
    role: Literal["r", "c", "g"] | None
    author: str | None
    id: str | None
    causation: str | None
    time: str | None
    summary: str
    newer: bool
    data: dict[str, Any] | None


class EventPage(Document, frozen=True):
    """Events of a job, oldest first."""

    events: list[EventRow]
    next: str | None
    position: int


class LogPage(Document, frozen=True):
    """Events of the log; `first` and `last` are the ends of the log as of the answer.

    `next` is the position to ask on from, as `after` or as `before`, null at the end.
    """

    events: list[EventRow]
    first: int
    last: int
    next: str | None
    position: int


class ProjectionRow(Document, frozen=True):
    """A projection: up to which position its rows are stored, and how many events follow it."""

    name: str
    version: int
    position: int
    lag: int


Number = int | float | None


class Percentiles(Document, frozen=True):
    """Of how many values, and below which so many of them are; null of none."""

    count: int
    p50: Number
    p90: Number
    p99: Number


class SeriesDocument(Document, frozen=True):
    """Numbers by name, one for each time, which is when a point begins; null is not known."""

    since: str
    until: str
    step_s: int
    times: list[str]
    series: dict[str, list[Number]]
    totals: dict[str, int]
    percentiles: dict[str, Percentiles]


class Status(Document, frozen=True):
    """That all is well."""

    status: Literal["ok"]
