"""Which event led to another, as far as that can be told.

A decision names its cause. A fact seldom does, but the fold knows what it answers: a bid the offer,
a result the award, a copy the assignment.
"""

from collections import OrderedDict
from typing import Any, NamedTuple

from events.codec import AnyEvent
from events.decisions import RevealsRequested
from events.entry import Entry
from events.facts import (
    BidsDeclined,
    BidsPlaced,
    ExecutionsFailed,
    ExecutionsStarted,
    PublishFailed,
    PublishStarted,
    ResultsProposed,
    ResultsPublished,
    ResultsRevealed,
)
from events.items import RootFailure, RootPublication
from projections.state import Execution, Job
from projections.steps.picture import items

KNOWN_MAX = 50_000
"""Events that are remembered as possible causes: what leads to what is close together."""


class Cause(NamedTuple):
    """The event that led to this one; `distance` counts the events from there to here.

    `recorded` says that the event names its cause; else it follows from what it answers. `kind` is
    "" and the numbers are 0 when the cause is not among the events that are remembered.
    """

    id: str
    kind: str
    position: int
    distance: int
    recorded: bool


class _Place(NamedTuple):
    id: str
    kind: str
    position: int
    number: int


class Causes:
    """The events of late, in bounded memory, by id and by position."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, _Place] = OrderedDict()
        self._by_position: OrderedDict[int, _Place] = OrderedDict()
        self._asked: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._count = 0

    def note(self, entry: Entry) -> None:
        """Remember an event; those that follow may be due to it."""
        self._count += 1
        place = _Place(entry.event.id, entry.address.kind, entry.position, self._count)
        self._by_id[place.id] = place
        self._by_position[place.position] = place
        if isinstance(entry.event, RevealsRequested):
            for item in entry.event.data.executions:
                self._asked[entry.address.job, item.shard] = place.id
        for known in (self._by_id, self._by_position, self._asked):
            while len(known) > KNOWN_MAX:
                known.popitem(last=False)

    def of(self, entry: Entry, job: Job | None) -> Cause | None:
        """Return what led to an event that is not yet noted; None when it starts a story."""
        named = entry.event.causationid
        if named and named != entry.event.id:
            return self._cause(named, self._by_id.get(named), recorded=True)
        answered = self._answered(entry.event, job) if job is not None else None
        return self._cause(answered.id, answered, recorded=False) if answered else None

    def _cause(self, id: str, place: _Place | None, *, recorded: bool) -> Cause:
        if place is None:
            return Cause(id, "", 0, 0, recorded)
        distance = self._count + 1 - place.number
        return Cause(id, place.kind, place.position, distance, recorded)

    def _answered(self, event: AnyEvent, job: Job) -> _Place | None:
        """Return the decision that the first item of a fact answers."""
        item: Any = next(items(event), None)
        match event:
            case BidsPlaced() | BidsDeclined() if item is not None:
                known = 0 <= item.offer < len(job.offers)
                return self._by_id.get(job.offers[item.offer].decision if known else "")
            case ExecutionsStarted() | ExecutionsFailed() | ResultsProposed() if item is not None:
                execution = _execution(job, item.shard, item.attempt)
                return self._by_position.get(execution.position) if execution else None
            case ResultsRevealed() if item is not None:
                return self._by_id.get(self._asked.get((job.id, item.shard), ""))
            case PublishStarted() | ResultsPublished() | PublishFailed() if item is not None:
                return self._by_id.get(_assignment(job, item))
            case _:
                return None


def _execution(job: Job, index: int, attempt: int) -> Execution | None:
    if not 0 <= index < len(job.shards):
        return None
    executions = job.shards[index].executions
    return executions[attempt] if 0 <= attempt < len(executions) else None


def _assignment(job: Job, item: Any) -> str:
    """Return the id of the decision that gave a shard's slot, or the root's."""
    if isinstance(item, RootPublication | RootFailure):
        return job.roots[item.slot].decision if item.slot in job.roots else ""
    if not 0 <= item.shard < len(job.shards):
        return ""
    slot = job.shards[item.shard].slots.get(item.slot)
    return slot.decision if slot is not None else ""
