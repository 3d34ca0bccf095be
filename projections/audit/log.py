"""The audit of a log: every message in order, to the job or the nodes that it is about."""

from events.codec import PRESENT, Codec
from events.entry import Entry, read_entry
from events.errors import EventError, InvalidSpec, NewerEvent
from events.facts import NodeJoined
from events.log import Record
from events.requests import JobSubmitted
from events.spec import normal
from events.subjects import NET
from projections.audit.authors import ROLES, Authors
from projections.audit.finding import FORM, WHOLE, Finding, Report, Scope
from projections.audit.ledger import Ledger
from projections.audit.messages import Identities, foreign, newer, stored_digest
from projections.audit.proofs import Proofs
from projections.hindsight import BEHIND_NEWER, Hindsight, Members
from projections.nodes import Nodes

UNREAD_KEPT = 100_000
"""Jobs whose submission only a newer version knows, that are known by name."""


class Audit:
    """Takes the messages of a log in order, and reports what it found.

    `scope` says what of the log they are, and `nodes` what stood before them if the beginning of
    the log was archived. Make one for each log; it is done with `finish`.
    """

    def __init__(
        self, scope: Scope = WHOLE, nodes: Nodes | None = None, *, codec: Codec = PRESENT
    ) -> None:
        self._scope = scope
        self._codec = codec
        self._unread: set[str] = set()
        self._ledger = Ledger()
        self._identities = Identities(self._ledger)
        self._authors = Authors(self._ledger)
        proofs = Proofs(self._ledger)
        self._past = Hindsight(
            proofs.decided, nodes=scope.nodes, fold=proofs.fold, members=Members(nodes)
        )
        for node in self._past.members.nodes.members.values():
            self._authors.join(node.name, node.capabilities.roles)
        self._first = 0
        self._last = 0
        self._events = 0

    def take(self, record: Record) -> None:
        """Audit the next message."""
        self._events += 1
        self._first = self._first or record.position
        self._last = record.position
        try:
            entry = read_entry(record, self._codec)
        except NewerEvent as error:
            self._newer(record, error)
            return
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
        self._past.finish()
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
        name, past = entry.address.job, self._past
        standing = past.standing(name)
        if standing == "open":
            past.take(entry)
            self._ledger.closed += past.standing(name) == "closed"
        elif standing == "closed":
            self._after_closing(entry)
        elif name in self._unread:
            self._ledger.unprovable[BEHIND_NEWER] += 1
        elif isinstance(entry.event, JobSubmitted):
            self._submission(entry, entry.event)
        elif not self._scope.start or not past.remembers_all or len(self._unread) >= UNREAD_KEPT:
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
            self._past.leave_out(name)
            return
        if event.data.digest != (right := stored_digest(entry.record)):
            what = f"it says that its spec has the digest {event.data.digest[:80]}"
            ledger.note(entry, "forged", 1, what, f"the digest is {right}")
        self._past.begin(entry, event)

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

    def _node(self, entry: Entry) -> None:
        event, nodes, ledger = entry.event, self._past.members.nodes, self._ledger
        if isinstance(event, NodeJoined):
            self._authors.join(entry.address.author, event.data.capabilities.roles)
        late, illegal = nodes.late, nodes.illegal
        self._past.take_node(entry)
        ledger.late += nodes.late - late
        known = self._scope.nodes and not self._past.members.newer
        if nodes.illegal > illegal and known:
            right = "such an event stands under the nodes' subject, about a node that has joined"
            ledger.note(entry, "illegal", 11, "it changes nothing about nodes", right)

    def _newer(self, record: Record, error: NewerEvent) -> None:
        """Note an event that only a newer version knows, and accuse nobody of what follows."""
        self._ledger.add(newer(record, error))
        _, _, _, name, _, author, *_ = record.subject.split(".")
        if name == NET:
            self._authors.join(author, tuple(ROLES.values()))
        elif error.kind == "job.submitted" and self._past.standing(name) == "unknown":
            self._ledger.jobs += 1
            if len(self._unread) < UNREAD_KEPT:
                self._unread.add(name)
        self._past.take_newer(record, error)

    def _foreign(self, record: Record, error: EventError) -> None:
        """Note a message that is none of ours; it counts where it stands, as in the fold."""
        self._ledger.add(foreign(record, error))
        self._past.take_foreign(record)
