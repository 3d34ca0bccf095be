"""A log with hindsight: every event to the job or the nodes that it is about."""

from collections import OrderedDict
from typing import Literal

from events.decisions import NodeLost, NodeQuarantined
from events.entry import Entry
from events.errors import NewerEvent
from events.log import Record
from events.requests import JobSubmitted
from events.subjects import NET, partition
from projections.evolve import evolve
from projections.hindsight.job import Decided, Fold, JobHindsight
from projections.hindsight.known import Doubt, Known
from projections.hindsight.members import Members

CLOSED_KEPT = 100_000
"""Closed jobs that are known by name."""

Standing = Literal["open", "closed", "unknown"]


class Hindsight:
    """All open jobs and the nodes.

    `decided` is called with each decision about an open job or a node and what its author knew,
    before the decision is folded; `fold` folds the events of jobs. `nodes` says that all events
    about nodes are there, from the first on or from `members` on.
    """

    def __init__(
        self,
        decided: Decided,
        *,
        nodes: bool = True,
        fold: Fold = evolve,
        members: Members | None = None,
    ) -> None:
        self.members = members or Members()
        self._decided = decided
        self._nodes = nodes
        self._fold = fold
        self._jobs: dict[str, JobHindsight] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._recorded: set[str] = set()
        self._net_fence = 0

    @property
    def remembers_all(self) -> bool:
        """Whether every job that was closed is still known by name."""
        return len(self._closed) < CLOSED_KEPT

    def standing(self, job: str) -> Standing:
        """Return whether a job is open, was closed, or has not begun."""
        if job in self._jobs:
            return "open"
        return "closed" if job in self._closed else "unknown"

    def begin(self, entry: Entry, event: JobSubmitted) -> None:
        """Begin a job with its submission."""
        self._jobs[entry.address.job] = JobHindsight(
            entry,
            event,
            self.members,
            nodes=self._nodes,
            recorded=self._recorded,
            decided=self._decided,
            fold=self._fold,
        )

    def take(self, entry: Entry) -> None:
        """Take an event of an open job; the one that closes it ends the job here."""
        name = entry.address.job
        past = self._jobs[name]
        past.take(entry)
        if past.job.closed:
            del self._jobs[name]
            self.leave_out(name)

    def leave_out(self, job: str) -> None:
        """Know a job as closed, by its name alone."""
        self._closed[job] = None
        if len(self._closed) > CLOSED_KEPT:
            self._closed.popitem(last=False)

    def take_node(self, entry: Entry) -> None:
        """Take an event about a node."""
        event = entry.event
        if self._nodes and isinstance(event, NodeLost | NodeQuarantined):
            self._decided(entry, self._known(event.data.seen))
        self.members.fold(entry)
        if entry.address.role == "r":
            self._net_fence = self.members.seen

    def take_newer(self, record: Record, error: NewerEvent) -> None:
        """Count an event that only a newer version of Lota knows, and know less from here on."""
        _, _, _, name, role, *_ = record.subject.split(".")
        if name in self._jobs:
            self._jobs[name].take_newer(record, error.type, decision=role == "r")
            return
        self.members.newer = self.members.newer or name == NET
        self.take_foreign(record)

    def take_foreign(self, record: Record) -> None:
        """Count a message that is no event where it stands, as the fold does."""
        match record.subject.split("."):
            case ["lota", "ev", part, name, role, *rest] if part == partition(name):
                decision = role == "r" and bool(rest)
                if name == NET:
                    self.members.count(record)
                    self._net_fence = self.members.seen if decision else self._net_fence
                elif name in self._jobs:
                    self._jobs[name].take_foreign(record, decision=decision)
            case _:
                pass

    def finish(self) -> None:
        """Fold what still waits: no decision will say any more what its author knew."""
        for past in self._jobs.values():
            past.finish()

    def _known(self, seen: int) -> Known:
        """Return the nodes that a decision about one of them was made among."""
        if not self._net_fence <= seen <= self.members.seen:
            right = f"by its place in the log it was {self._net_fence} to {self.members.seen}"
            return Known(
                None, None, (Doubt(f"it was decided after {seen} events about nodes", 1, right),)
            )
        found = self.members.known(seen)
        if isinstance(found, Doubt):
            return Known(None, None, (found,))
        return Known(None, found)
