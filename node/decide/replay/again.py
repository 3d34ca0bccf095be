"""Decide once more what was decided: the same job and nodes, author, time and rules.

Whether it was a patrol is all that a decision does not record, and both are tried.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

import msgspec

from events.codec import AnyEvent
from events.decisions import NodeLost
from events.entry import Entry
from events.envelope import Data
from node.decide import decide
from node.decide.nodes import decide_nodes
from node.decide.replay.difference import changes
from node.effects import Append, Effect, WakeAt
from node.policy import Policy
from projections.nodes import Node, Nodes
from projections.state import Job

MOMENTS = ("until_ms", "deadline_ms")
MOMENT_MS = 1_000
"""What may have passed between a decision and its append."""


class Instead(NamedTuple):
    """What is decided about a view: an event of this kind and data, or nothing before a time.

    `wake_ms` is when it would be looked at again; 0 is for only when something happens.
    """

    kind: type[AnyEvent] | None = None
    data: Data | None = None
    wake_ms: int = 0


class Again(NamedTuple):
    """What came of deciding again: `patrol` tells which way, `same` whether it is as recorded."""

    instead: Instead
    patrol: bool
    same: bool


class Views:
    """The nodes of decisions as `decide` takes them; the last are kept, many have them alike."""

    def __init__(self) -> None:
        self._known: tuple[Mapping[str, Node], int] | None = None
        self._nodes = Nodes()

    def nodes(self, members: Mapping[str, Node], seen: int) -> Nodes:
        """Return the nodes as of so many events about them."""
        if self._known is None or self._known[0] is not members or self._known[1] != seen:
            nodes = Nodes(members=cast("dict[str, Node]", members), seen=seen)
            nodes.requesters = tuple(node.name for node in nodes.live("requester"))
            self._known, self._nodes = (members, seen), nodes
        return self._nodes


def decide_again(
    entry: Entry,
    job: Job | None,
    nodes: Nodes,
    policy: Policy,
    patrols: Iterable[bool] = (False, True),
    *,
    before_ms: int = 0,
) -> Again:
    """Return what is decided in place of a decision, the nearest to it; no job is for a node.

    It is decided `before_ms` before the time that the decision carries.
    """
    best: Again | None = None
    for patrol in patrols:
        effects = _effects(entry, job, nodes, policy, entry.time_ms - before_ms, patrol=patrol)
        again = _compared(entry, _first(effects), patrol=patrol)
        if again.same:
            return again
        if best is None or _distance(entry, again.instead) < _distance(entry, best.instead):
            best = again
    assert best is not None
    return best


def moment_before(entry: Entry, instead: Instead) -> int:
    """Return how long before the time that it carries a decision was made, as its deadlines tell.

    0 when they tell nothing of the kind. Requesters once wrote down the time of the append.
    """
    if instead.kind is not type(entry.event):
        return 0
    shifts: set[int] = set()
    for change in changes(entry.event.data, instead.data):
        if not change.path.endswith(MOMENTS) or not isinstance(change.recorded, int):
            return 0
        shifts.add(change.today - change.recorded)
    shift = shifts.pop() if len(shifts) == 1 else 0
    return shift if 0 < shift <= MOMENT_MS else 0


def _effects(
    entry: Entry, job: Job | None, nodes: Nodes, policy: Policy, now_ms: int, *, patrol: bool
) -> list[Effect]:
    me, event = entry.address.author, entry.event
    if job is not None:
        return decide(job, nodes, me=me, now_ms=now_ms, policy=policy, patrol=patrol)
    if not isinstance(event, NodeLost):
        return []
    presence = {event.data.node: now_ms - event.data.silence_ms}
    return decide_nodes(nodes, presence, me=me, now_ms=now_ms, policy=policy)


def _first(effects: Iterable[Effect]) -> Instead:
    """Return what effects come to: at most one of them appends.

    The last of several wakes is the common patience; what is before it is a deadline.
    """
    wakes: list[int] = []
    for effect in effects:
        if isinstance(effect, Append):
            return Instead(effect.kind, effect.data)
        if isinstance(effect, WakeAt):
            wakes.append(effect.ms)
    return Instead(wake_ms=min(wakes[:-1], default=0))


def _compared(entry: Entry, instead: Instead, *, patrol: bool) -> Again:
    """Compare, whatever the rules are called that it was decided by now."""
    data: Any = entry.event.data
    if instead.data is not None:
        told = msgspec.structs.replace(cast("Any", instead.data), policy=data.policy)
        instead = instead._replace(data=told)
    return Again(instead, patrol, instead.kind is type(entry.event) and instead.data == data)


def _distance(entry: Entry, instead: Instead) -> tuple[bool, bool, int]:
    """Return how far it is from what was recorded: something, then the type, then the fields."""
    same_kind = instead.kind is type(entry.event)
    fields = sum(1 for _ in changes(entry.event.data, instead.data)) if same_kind else 0
    return instead.kind is None, not same_kind, fields
