"""One job under audit: its facts wait until a decision says how many of them its author knew."""

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from events.decisions import (
    ExecutionsLost,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobPlanned,
    PublicationsAssigned,
    ResultsJudged,
    RevealsRequested,
    ShardsAwarded,
    ShardsOffered,
)
from events.log import Record
from events.requests import JobSubmitted
from projections.audit import ending, placement, verdict
from projections.audit.ledger import Ledger
from projections.audit.members import Members
from projections.audit.placement import Case
from projections.audit.stories import ruling
from projections.entry import Entry
from projections.evolve import begin, count, evolve
from projections.nodes import Node

WAITING_MAX = 20_000
"""Facts that may lie between two decisions of a job and be held back."""

FREE = {
    ResultsJudged: ("verdicts", 5, verdict.verdicts),
    RevealsRequested: ("reveal requests", 5, verdict.reveals),
    JobCompleted: ("roots", 7, ending.completed),
    JobFailed: ("failures", 7, ending.failed),
    JobCancelled: ("cancellations", 10, ending.cancelled),
}
"""Proofs that need the job alone: what is proved, by which rule, how."""

AMONG = {
    JobPlanned: ("plans", 7, placement.plan),
    ShardsOffered: ("offers", 7, placement.offers),
    ShardsAwarded: ("awards", 7, placement.awards),
    ExecutionsLost: ("losses", 8, verdict.losses),
}
"""Proofs that also need the nodes as they were."""


class Waiting(NamedTuple):
    """A message of the job that is not folded yet, and how many events about nodes came before."""

    message: Entry | Record
    nodes: int


class JobAudit:
    """The fold of one job, held against each of its decisions. It begins with its submission."""

    def __init__(
        self, entry: Entry, event: JobSubmitted, members: Members, ledger: Ledger, *, nodes: bool
    ) -> None:
        self.job = begin(entry, event)
        self._members = members
        self._ledger = ledger
        self._nodes_known = nodes
        self._waiting: deque[Waiting] = deque()
        self._nodes_seen = members.seen
        self._skipped = False
        self._recorded: set[str] = set()

    @property
    def closed(self) -> bool:
        """Whether the job was closed: all that comes now is late."""
        return self.job.closed

    def take(self, entry: Entry) -> None:
        """Take the job's next event."""
        if entry.address.role == "r":
            self._decision(entry)
            self._nodes_seen = self._members.seen
            self._fold(entry)
        else:
            self._wait(entry)

    def take_foreign(self, record: Record, *, decision: bool) -> None:
        """Count a message on the job's subjects that is no event; as a decision it is a fence."""
        if not decision:
            self._wait(record)
            return
        self.finish()
        self._nodes_seen = self._members.seen
        self._fold(record)

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
        job = self.job
        if isinstance(message, Record):
            count(job, message)
            return
        illegal = job.illegal
        late = job.late
        evolve(job, message)
        self._ledger.late += job.late - late
        if job.illegal > illegal:
            self._tell(message, job.illegal - illegal)

    def _tell(self, entry: Entry, new: int) -> None:
        """Write down the items that the fold skipped; it keeps the stories of the last twenty."""
        stories = self.job.stories[-new:]
        for story in stories:
            right = ruling(story)
            what = f"{story.item} in state {story.state}: {story.why}"
            self._ledger.note(entry, "illegal", right.rule, what, right.right)
        self._ledger.found += new - len(stories)

    # Decisions

    def _decision(self, entry: Entry) -> None:
        """Hold a decision against the job as its author had folded it; then fold the rest."""
        data: Any = entry.event.data
        job = self.job
        while job.seen < data.seen and self._waiting:
            self._advance()
        if self._sealed(entry, data.seen, data.seal):
            self._prove(entry, data.members)
        self.finish()

    def _sealed(self, entry: Entry, seen: int, seal: str) -> bool:
        """Whether a decision was made of just the job's first events, by the rules 1 and 12.

        Where a seal is wrong, the next are counted on from it, so that each tells of its own part.
        """
        job, ledger = self.job, self._ledger
        if seen < job.seen:
            if self._skipped:
                ledger.unprovable["decided too far behind the log"] += 1
                return False
            what = f"it was decided after {seen} events, without the decision that is number"
            ledger.note(
                entry, "forged", 1, f"{what} {job.seen}", "a decision has seen all before it"
            )
            return False
        if seen > job.seen:
            what = f"it has seen {seen} events, and only {job.seen} stand before it"
            ledger.note(entry, "forged", 12, what, "a decision follows from what is on the log")
            _go_on(self, seen, seal)
            return False
        if job.seal.hex() != seal:
            what = f"its seal over the first {seen} events of the job is {seal[:80]}"
            right = f"{job.seal.hex()}: an event between the decision before and {seen} was changed"
            ledger.note(entry, "forged", 12, what, right)
            _go_on(self, seen, seal)
            return False
        ledger.proved["seals"] += 1
        return True

    def _prove(self, entry: Entry, members: int) -> None:
        event = entry.event
        ledger = self._ledger
        free = FREE.get(type(event))
        case = Case(self.job, {}, entry.time_ms)
        if free is not None:
            ledger.judge(entry, free[0], free[1], free[2](case, event))  # type: ignore[operator]
        elif isinstance(event, PublicationsAssigned) and event.data.roots:
            ledger.judge(entry, "published roots", 7, ending.roots(case, event))
        nodes = self._nodes(entry, members)
        among = AMONG.get(type(event))
        if among is not None and nodes is not None:
            case = Case(self.job, nodes, entry.time_ms)
            ledger.judge(entry, among[0], among[1], among[2](case, event))  # type: ignore[operator]

    def _nodes(self, entry: Entry, members: int) -> Mapping[str, Node] | None:
        """Return the nodes that a decision was made among, None if that cannot be told.

        Its author folds one log in order: what it knew of nodes lies between the last event of
        the job that it knew and the first that it did not.
        """
        ledger = self._ledger
        if not self._nodes_known:
            ledger.unprovable["the events about nodes are not there"] += 1
            return None
        author = entry.address.author
        if not members and author not in self._recorded and self._nodes_seen:
            ledger.unprovable["made before decisions recorded the members"] += 1
            return None
        self._recorded.add(author)
        upper = self._waiting[0].nodes if self._waiting else self._members.seen
        if not self._nodes_seen <= members <= upper:
            what = f"it was made among {members} events about nodes"
            right = f"by its place in the log it was {self._nodes_seen} to {upper}"
            ledger.note(entry, "forged", 7, what, right)
            return None
        found = self._members.at(members)
        if found is None:
            ledger.unprovable["the nodes have changed too often since"] += 1
        return found


def _go_on(audit: JobAudit, seen: int, seal: str) -> None:
    """Take a decision's word for what came before it, to check the next from there."""
    try:
        told = bytes.fromhex(seal)
    except ValueError:
        return
    if len(told) == len(audit.job.seal):
        audit.job.seen, audit.job.seal = seen, told
