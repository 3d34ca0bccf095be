"""One job with hindsight: its facts wait until a decision says how many of them its author knew."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from events.entry import Entry
from events.envelope import DecidedAmong
from events.log import Record
from events.requests import JobSubmitted
from projections.evolve import begin, count
from projections.hindsight.known import BEHIND_NEWER, Doubt, Known
from projections.hindsight.members import Members
from projections.newer import skip
from projections.nodes import Node
from projections.state import Job

Decided = Callable[[Entry, Known], None]
Fold = Callable[[Job, Entry], object]

WAITING_MAX = 20_000
"""Facts that may lie between two decisions of a job and be held back."""


class Waiting(NamedTuple):
    """A message of the job that is not folded yet, and how many events about nodes came before."""

    message: Entry | Record
    nodes: int


class JobHindsight:
    """The fold of one job. It begins with its submission.

    `decided` is called with each decision and what its author knew, before `fold` takes it in.
    Without `nodes` the events about nodes are not there, and nobody knows which it was made among.
    `recorded` names who has recorded the members where that could be left out, in any job so far.
    """

    def __init__(
        self,
        entry: Entry,
        event: JobSubmitted,
        members: Members,
        *,
        nodes: bool,
        recorded: set[str],
        decided: Decided,
        fold: Fold,
    ) -> None:
        self.job = begin(entry, event)
        self._members = members
        self._nodes_known = nodes
        self._recorded = recorded
        self._decided = decided
        self._fold_entry = fold
        self._waiting: deque[Waiting] = deque()
        self._nodes_seen = members.seen
        self._skipped = False

    def take(self, entry: Entry) -> None:
        """Take the job's next event."""
        if entry.address.role != "r":
            self._wait(entry)
            return
        self._decided(entry, self._known(entry))
        self.finish()
        self._nodes_seen = self._members.seen
        self._fold(entry)

    def take_foreign(self, record: Record, *, decision: bool) -> None:
        """Count a message on the job's subjects that is no event; as a decision it is a fence."""
        if not decision:
            self._wait(record)
            return
        self.finish()
        self._nodes_seen = self._members.seen
        self._fold(record)

    def take_newer(self, record: Record, type: str, *, decision: bool) -> None:
        """Count an event that this version does not know: nothing behind it can be told."""
        skip(self.job.newer, type, record.position)
        self.job.held = self.job.held or (type if decision else "")
        self.take_foreign(record, decision=decision)

    def finish(self) -> None:
        """Fold what waits: nobody can have decided without it any more."""
        while self._waiting:
            self._advance()

    def _wait(self, message: Entry | Record) -> None:
        self._waiting.append(Waiting(message, self._members.seen))
        if len(self._waiting) > WAITING_MAX:
            self._skipped = True
            self._advance()

    def _advance(self) -> None:
        message, self._nodes_seen = self._waiting.popleft()
        self._fold(message)

    def _fold(self, message: Entry | Record) -> None:
        if isinstance(message, Record):
            count(self.job, message)
        else:
            self._fold_entry(self.job, message)

    def _known(self, entry: Entry) -> Known:
        """Fold what the author of a decision had folded, and return that with the nodes then."""
        data: Any = entry.event.data
        while self.job.seen < data.seen and self._waiting:
            self._advance()
        doubt = self._sealed(data.seen, data.seal)
        if doubt is not None:
            return Known(None, None, (doubt,))
        if self.job.newer:
            return Known(self.job, None, (Doubt(BEHIND_NEWER),))
        found = self._nodes(entry.address.author, data)
        if isinstance(found, Doubt):
            return Known(self.job, None, (found,))
        return Known(self.job, found)

    def _sealed(self, seen: int, seal: str) -> Doubt | None:
        """Return why a decision was not made of the job's first events, by the rules 1 and 12.

        Where a seal is wrong, the next are counted on from it, so that each tells of its own part.
        """
        job = self.job
        if seen < job.seen:
            if self._skipped:
                return Doubt("decided too far behind the log")
            what = f"it was decided after {seen} events, without the decision that is number"
            return Doubt(f"{what} {job.seen}", 1, "a decision has seen all before it")
        if seen > job.seen:
            what = f"it has seen {seen} events, and only {job.seen} stand before it"
            _go_on(job, seen, seal)
            return Doubt(what, 12, "a decision follows from what is on the log")
        if job.seal.hex() != seal:
            what = f"its seal over the first {seen} events of the job is {seal[:80]}"
            right = f"{job.seal.hex()}: an event between the decision before and {seen} was changed"
            _go_on(job, seen, seal)
            return Doubt(what, 12, right)
        return None

    def _nodes(self, author: str, data: Any) -> Mapping[str, Node] | Doubt:
        """Return the nodes that a decision was made among, or why that cannot be told.

        Its author folds one log in order: what it knew of nodes lies between the last event of
        the job that it knew and the first that it did not. Plans and offers have always recorded
        it, other decisions since some version of their author.
        """
        if not self._nodes_known:
            return Doubt("the events about nodes are not there")
        members = data.members
        if isinstance(data, DecidedAmong):
            if not members and author not in self._recorded and self._nodes_seen:
                return Doubt("made before decisions recorded the members")
            self._recorded.add(author)
        upper = self._waiting[0].nodes if self._waiting else self._members.seen
        if not self._nodes_seen <= members <= upper:
            what = f"it was made among {members} events about nodes"
            return Doubt(what, 7, f"by its place in the log it was {self._nodes_seen} to {upper}")
        return self._members.known(members)


def _go_on(job: Job, seen: int, seal: str) -> None:
    """Take a decision's word for what came before it, to check the next from there."""
    try:
        told = bytes.fromhex(seal)
    except ValueError:
        return
    if len(told) == len(job.seal):
        job.seen, job.seal = seen, told
