"""The audit of a log: every message in order, to the job or the nodes that it is about."""

from collections import OrderedDict

from events.decisions import NodeLost, NodeQuarantined
from events.errors import EventError, InvalidSpec
from events.facts import NodeJoined
from events.log import Record
from events.requests import JobSubmitted
from events.spec import normal
from events.subjects import NET, partition
from projections.audit.authors import Authors
from projections.audit.finding import FORM, WHOLE, Finding, Report, Scope
from projections.audit.job import JobAudit
from projections.audit.ledger import Ledger
from projections.audit.members import Members
from projections.audit.messages import Identities, foreign, stored_digest
from projections.entry import Entry, read_entry

CLOSED_KEPT = 100_000
"""Closed jobs that are known by name; of older ones, what still comes is taken for late."""


class Audit:
    """Takes the messages of a log in order, and reports what it found.

    `scope` says what of the log they are. Make one for each log; it is done with `finish`.
    """

    def __init__(self, scope: Scope = WHOLE) -> None:
        self._scope = scope
        self._ledger = Ledger()
        self._identities = Identities(self._ledger)
        self._authors = Authors(self._ledger)
        self._members = Members()
        self._jobs: dict[str, JobAudit] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._net_fence = 0
        self._first = 0
        self._last = 0
        self._events = 0

    def take(self, record: Record) -> None:
        """Audit the next message."""
        self._events += 1
        self._first = self._first or record.position
        self._last = record.position
        try:
            entry = read_entry(record)
        except EventError as error:
            self._foreign(record, error)
            return
        self._identities.check(entry)
        if self._scope.nodes:
            self._authors.check(entry)
        if entry.address.job == NET:
            self._node(entry)
        else:
            self._job(entry)

    def damaged(self, what: str, right: str) -> None:
        """Note that the file that the messages come from was changed, at or behind the last."""
        nobody = {"job": "", "type": "", "author": "", "event": ""}
        self._ledger.add(
            Finding(
                position=self._last, kind="damaged", rule=FORM, what=what, right=right, **nobody
            )
        )

    def lacks(self, what: str, count: int) -> None:
        """Count what the audited part of the log does not hold."""
        if count:
            self._ledger.unprovable[what] += count

    def finish(self) -> Report:
        """Fold what waits, and return the report."""
        for job in self._jobs.values():
            job.finish()
        self._authors.finish()
        ledger = self._ledger
        return Report(
            first=self._first,
            last=self._last,
            events=self._events,
            jobs=ledger.jobs,
            closed=ledger.closed,
            late=ledger.late,
            repeated=ledger.repeated,
            outside=ledger.outside,
            proved=dict(sorted(ledger.proved.items())),
            unprovable=dict(sorted(ledger.unprovable.items())),
            found=ledger.found,
            findings=ledger.findings(),
        )

    def _job(self, entry: Entry) -> None:
        name = entry.address.job
        job = self._jobs.get(name)
        event = entry.event
        if job is not None:
            job.take(entry)
            if job.closed:
                self._close(name)
        elif name in self._closed:
            self._after_closing(entry)
        elif isinstance(event, JobSubmitted):
            self._submission(entry, event)
        elif not self._scope.start or len(self._closed) >= CLOSED_KEPT:
            self._ledger.outside += 1
        else:
            what = "it is about a job that nobody has submitted"
            self._ledger.note(entry, "illegal", 1, what, "job.submitted is the first of a job")

    def _submission(self, entry: Entry, event: JobSubmitted) -> None:
        """Begin a job, if its spec is one that a gateway accepts."""
        name, spec, ledger = entry.address.job, event.data.spec, self._ledger
        ledger.jobs += 1
        try:
            normal(spec, publishers={publisher.driver: False for publisher in spec.publishers})
        except InvalidSpec as error:
            ledger.note(
                entry, "illegal", 1, f"its spec cannot be accepted: {error.what}", error.hint
            )
            self._forget(name)
            return
        if event.data.digest != (right := stored_digest(entry.record)):
            what = f"it says that its spec has the digest {event.data.digest[:80]}"
            ledger.note(entry, "forged", 1, what, f"the digest is {right}")
        known = self._scope.nodes
        self._jobs[name] = JobAudit(entry, event, self._members, ledger, nodes=known)

    def _after_closing(self, entry: Entry) -> None:
        """Facts and wishes still come after a job was closed; all else is fenced by that."""
        if entry.address.role == "r":
            right = "the decision that closes a job is its last"
            self._ledger.note(
                entry, "illegal", 12, "it decides about a job that is not open", right
            )
        elif isinstance(entry.event, JobSubmitted):
            right = "a job is submitted once"
            self._ledger.note(entry, "illegal", 1, "it submits a job that is closed", right)
        else:
            self._ledger.late += 1

    def _close(self, name: str) -> None:
        del self._jobs[name]
        self._ledger.closed += 1
        self._forget(name)

    def _forget(self, name: str) -> None:
        """Keep the name alone of a job that is not open any more."""
        self._closed[name] = None
        if len(self._closed) > CLOSED_KEPT:
            self._closed.popitem(last=False)

    def _node(self, entry: Entry) -> None:
        event, nodes, ledger = entry.event, self._members.nodes, self._ledger
        if isinstance(event, NodeJoined):
            self._authors.join(entry.address.author, event.data.capabilities.roles)
        if self._scope.nodes and isinstance(event, NodeLost | NodeQuarantined):
            self._node_decision(entry, event)
        late, illegal = nodes.late, nodes.illegal
        self._members.fold(entry)
        if entry.address.role == "r":
            self._net_fence = nodes.seen
        ledger.late += nodes.late - late
        if nodes.illegal > illegal and self._scope.nodes:
            right = "such an event stands under the nodes' subject, about a node that has joined"
            ledger.note(entry, "illegal", 11, "it changes nothing about nodes", right)

    def _node_decision(self, entry: Entry, event: NodeLost | NodeQuarantined) -> None:
        """Hold a decision about a node against the nodes that its author had folded."""
        ledger, seen = self._ledger, event.data.seen
        if not self._net_fence <= seen <= self._members.seen:
            what = f"it was decided after {seen} events about nodes"
            right = f"by its place in the log it was {self._net_fence} to {self._members.seen}"
            ledger.note(entry, "forged", 1, what, right)
            return
        before = self._members.at(seen)
        if before is None:
            ledger.unprovable["the nodes have changed too often since"] += 1
        elif isinstance(event, NodeLost):
            node = before.get(event.data.node)
            if node is None or node.state not in ("live", "draining"):
                state = f"is {node.state}" if node is not None else "has not joined"
                what = f"it loses {event.data.node}, which {state}"
                ledger.note(entry, "unproven", 11, what, "who is lost was a member before")
            elif node.incarnation != event.data.incarnation:
                what = f"it loses incarnation {event.data.incarnation} of {node.name}"
                ledger.note(entry, "unproven", 11, what, f"{node.incarnation} was its life then")
            else:
                ledger.proved["lost nodes"] += 1

    def _foreign(self, record: Record, error: EventError) -> None:
        """Note a message that is none of ours; it counts where it stands, as in the fold."""
        self._ledger.add(foreign(record, error))
        match record.subject.split("."):
            case ["lota", "ev", part, name, role, *rest] if part == partition(name):
                decision = role == "r" and bool(rest)
                if name == NET:
                    self._members.count(record)
                    self._net_fence = self._members.seen if decision else self._net_fence
                elif name in self._jobs:
                    self._jobs[name].take_foreign(record, decision=decision)
            case _:
                pass
