"""Hold every recorded decision against `decide` of today, by the rules that it was made by.

Pure: it is given messages in log order. What it cannot tell it counts by reason, and takes neither
for the same nor for a difference.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from events.codec import KINDS, PRESENT, Codec, kind
from events.decisions import NodeLost, NodeQuarantined
from events.entry import Entry, read_entry
from events.errors import EventError, NewerEvent
from events.log import Record
from events.requests import JobSubmitted
from events.subjects import NET
from events.times import rfc3339
from node.decide.replay.again import Instead, Views, decide_again, moment_before
from node.decide.replay.difference import Difference, changes
from node.policy import POLICIES, Policy
from projections.evolve import evolve
from projections.hindsight import Fold, Hindsight, Known, Members, Standing
from projections.nodes import Nodes
from projections.state import Job

BY_A_PERSON = "a person decided it"
NO_SILENCE = "made before the silence of a lost node was recorded"
A_MOMENT_BEFORE = "made a moment before the time that it carries, as older requesters wrote it"
NOT_OPEN = "of a job that is not open, or began before this log"
DENIED = "what it says that its author knew is denied by the log (lota audit)"


class Explained(NamedTuple):
    """A decision that follows from what its author knew, by its rules, as a patrol or not."""

    entry: Entry
    job: Job | None
    nodes: Nodes
    policy: Policy
    patrol: bool


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of deciding again all that was decided.

    `decisions` is the number of those recorded: `same`, `differ` and the `undecidable` ones, by
    reason. `jobs` counts those that began, `jobs_differ` those with a decision that differs.
    `first` is the first of these on the log, `differ_by_type` counts all, and `policies` counts
    all decisions by the version of their rules.
    """

    decisions: int
    jobs: int
    same: int
    differ: int
    jobs_differ: int
    differ_by_type: dict[str, int]
    undecidable: dict[str, int]
    policies: dict[str, int]
    first: Difference | None


class Check:
    """Takes the messages of a log in order. `nodes` says that all events about nodes are there,
    from the first on or from `members` on.

    `explained` is called with each decision that was made again just so, before it is folded.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy] = POLICIES,
        *,
        nodes: bool = True,
        members: Members | None = None,
        fold: Fold = evolve,
        explained: Callable[[Explained], None] = lambda _: None,
        codec: Codec = PRESENT,
    ) -> None:
        self._codec = codec
        self._policies = policies
        self._past = Hindsight(self._decided, nodes=nodes, fold=fold, members=members)
        self._explained = explained
        self._views = Views()
        self._same = 0
        self._jobs = 0
        self._jobs_differ = 0
        self._open_differ: set[str] = set()
        self._differ: Counter[str] = Counter()
        self._undecidable: Counter[str] = Counter()
        self._versions: Counter[str] = Counter()
        self._first: Difference | None = None

    def take(self, record: Record) -> Entry | None:
        """Check the next message if it is a decision, and fold it; return the event that it is."""
        try:
            entry = read_entry(record, self._codec)
        except NewerEvent as error:
            self._past.take_newer(record, error)
            return None
        except EventError:
            self._past.take_foreign(record)
            return None
        name = entry.address.job
        if name == NET:
            self._past.take_node(entry)
        elif self._past.standing(name) == "open":
            self._past.take(entry)
            if self._past.standing(name) == "closed":
                self._open_differ.discard(name)
        elif isinstance(entry.event, JobSubmitted) and self._past.standing(name) == "unknown":
            self._jobs += 1
            self._past.begin(entry, entry.event)
        elif entry.address.role == "r":
            self._undecidable[NOT_OPEN] += 1
        return entry

    def standing(self, job: str) -> Standing:
        """Return whether a job is open, was closed, or has not begun."""
        return self._past.standing(job)

    def finish(self) -> Checked:
        """Return what was found."""
        differ = self._differ.total()
        return Checked(
            decisions=self._same + differ + self._undecidable.total(),
            jobs=self._jobs,
            same=self._same,
            differ=differ,
            jobs_differ=self._jobs_differ,
            differ_by_type=dict(sorted(self._differ.items())),
            undecidable=dict(sorted(self._undecidable.items())),
            policies=dict(sorted(self._versions.items())),
            first=self._first,
        )

    def _decided(self, entry: Entry, known: Known) -> None:
        data: Any = entry.event.data
        self._versions[data.policy] += 1
        policy = self._policies.get(data.policy)
        reason = _undecidable(entry, known, policy)
        if reason:
            self._undecidable[reason] += 1
            return
        assert policy is not None
        assert known.nodes is not None
        seen = data.seen if known.job is None else data.members
        nodes = self._views.nodes(known.nodes, seen)
        again = decide_again(entry, known.job, nodes, policy)
        if not again.same:
            before_ms = moment_before(entry, again.instead)
            if (
                before_ms
                and decide_again(entry, known.job, nodes, policy, before_ms=before_ms).same
            ):
                self._undecidable[A_MOMENT_BEFORE] += 1
            else:
                self._note(entry, again.instead)
            return
        self._same += 1
        self._explained(Explained(entry, known.job, nodes, policy, again.patrol))

    def _note(self, entry: Entry, instead: Instead) -> None:
        self._differ[kind(entry.event)] += 1
        self._first = self._first or difference(entry, instead)
        name = entry.address.job
        if name != NET and name not in self._open_differ:
            self._open_differ.add(name)
            self._jobs_differ += 1


def _undecidable(entry: Entry, known: Known, policy: Policy | None) -> str:
    """Return why a decision cannot be made again, or ""."""
    event: Any = entry.event
    if policy is None:
        return f"made by policy {event.data.policy[:40]}, which is not known here"
    for doubt in known.doubts:
        return DENIED if doubt.rule else doubt.what
    if isinstance(event, NodeQuarantined):
        return BY_A_PERSON
    if isinstance(event, NodeLost) and not event.data.silence_ms:
        return NO_SILENCE
    return ""


def difference(entry: Entry, instead: Instead) -> Difference:
    """Return a decision beside what is decided in its place."""
    data: Any = entry.event.data
    same_kind = instead.kind is type(entry.event)
    return Difference(
        position=entry.position,
        time=entry.event.time,
        job=entry.address.job,
        type=kind(entry.event),
        author=entry.address.author,
        event=entry.event.id,
        policy=data.policy,
        seen=data.seen,
        members=getattr(data, "members", data.seen),
        recorded=msgspec.to_builtins(data),
        today=KINDS[instead.kind] if instead.kind is not None else None,
        decided=msgspec.to_builtins(instead.data) if instead.data is not None else None,
        why=_why(entry, instead),
        changes=tuple(changes(data, instead.data)) if same_kind else (),
    )


def _why(entry: Entry, instead: Instead) -> str:
    if instead.kind is type(entry.event):
        return ""
    if instead.kind is not None:
        return f"{KINDS[instead.kind]} is due first"
    if not instead.wake_ms:
        return "nothing is due"
    after_s = (instead.wake_ms - entry.time_ms) / 1000
    return f"nothing is due before {rfc3339(instead.wake_ms)}, {after_s:.1f} s later"
