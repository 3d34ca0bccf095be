"""The read models as rows: what a dashboard, `/metrics` and the stages ask for, by key.

A row is a key and a body of JSON whose bytes follow from the log alone, so that a store that lived
through crashes can be compared with one built anew. Nothing stands in a row that a late event
changes: when a closed job leaves the fold is not a matter of the log.

Rows are made from the fold when they are written, not event by event: `Touched` only gathers which
may have changed. An event names its shards, so that a job of 100,000 costs what its events name.
"""

from collections.abc import Iterator

import msgspec

from events.codec import KINDS, AnyEvent
from events.commitment import execution_id
from events.decisions import (
    ExecutionsLost,
    JobCancelled,
    JobClosed,
    JobCompleted,
    JobFailed,
    JobPlanned,
    NodeLost,
    NodeQuarantined,
    PublicationsAssigned,
    PublicationsRevoked,
    ResultsJudged,
    RevealsRequested,
    ShardsAwarded,
    ShardsFailed,
)
from events.entry import Entry
from events.facts import (
    ExecutionsFailed,
    ExecutionsStarted,
    PublishFailed,
    PublishStarted,
    ResultsProposed,
    ResultsPublished,
    ResultsRevealed,
)
from events.items import Claim
from events.requests import CancelRequested, JobSubmitted
from events.subjects import NET
from projections.network import Network
from projections.state import (
    BUSY,
    COMMITTED,
    Execution,
    ExecutionState,
    Job,
    JobState,
    Shard,
    Slot,
    SlotState,
)

VERSIONS = {"jobs": 1, "executions": 1, "nodes": 1, "verification": 1, "publication": 1}
"""The projections. One whose version here differs from the stored one is dropped and rebuilt."""

Change = tuple[str, str, bytes | None]
"""Projection, key, and the body; None when there is no such row any more."""

_encode = msgspec.json.Encoder(order="deterministic").encode

_LISTED: dict[type[AnyEvent], str] = {
    ShardsAwarded: "awards",
    ExecutionsStarted: "executions",
    ExecutionsFailed: "failures",
    ExecutionsLost: "lost",
    ResultsProposed: "proposals",
    RevealsRequested: "executions",
    ResultsRevealed: "reveals",
    ResultsJudged: "judgements",
    PublicationsAssigned: "assignments",
    PublicationsRevoked: "revoked",
    PublishStarted: "starts",
    ResultsPublished: "publications",
    PublishFailed: "failures",
    ShardsFailed: "shards",
}
"""Where an event names the shards that it changes. Offers and bids show in no row."""
_ITEMS = {KINDS[kind]: name for kind, name in _LISTED.items()}

_OF_JOB = frozenset(
    KINDS[kind] for kind in (JobSubmitted, CancelRequested, JobPlanned, JobCompleted, JobClosed)
)
"""What changes the row of its job alone: a job completes when its shards have."""

_OF_ALL = frozenset(KINDS[kind] for kind in (JobFailed, JobCancelled))
"""What ends whatever of the job is still open."""


class JobBody(msgspec.Struct, frozen=True, gc=False):
    """A row of `jobs`, by job id; it stays when the job is closed.

    `completed`, `failed` and `cancelled` count shards.
    """

    id: str
    name: str
    engine: str
    labels: dict[str, str]
    state: JobState
    closed: bool
    submitted_at: str
    ended_at: str
    deadline_ms: int
    shards: int
    completed: int
    failed: int
    cancelled: int
    replicas: int
    cancel_asked: str | None
    root_cid: str
    dag_size_bytes: int
    code: str
    reason: str
    exit_code: int | None


class ExecutionBody(msgspec.Struct, frozen=True, gc=False):
    """A row of `executions`, by execution id; it stays when the job is closed."""

    job: str
    shard: int
    attempt: int
    node: str
    state: ExecutionState
    awarded_ms: int
    until_ms: int
    claim: Claim | None
    reason: str


class VerificationBody(msgspec.Struct, frozen=True, gc=False):
    """A row of `verification`, by `<job>/<shard>`: proposals that wait for their verdict.

    The lists name attempts: with a commitment, of which asked to reveal and revealed, and those
    that still run, until `until_ms`.
    """

    job: str
    shard: int
    confidence: int
    committed: list[int]
    asked: list[int]
    revealed: list[int]
    running: list[int]
    until_ms: int
    reveal_until_ms: int


class CopyBody(msgspec.Struct, frozen=True, gc=False):
    """One published copy; `attempt` says whose upload it was."""

    attempt: int
    uri: str
    cid: str
    size_bytes: int
    duration_ms: int


class PublicationBody(msgspec.Struct, frozen=True, gc=False):
    """A row of `publication`, by `<job>/<shard>/<slot>`: an awaited upload, or its copies.

    Rows with copies stay: the slot, not the execution, is what a copy belongs to, and so where
    the results of a job lie is one look-up each, also when the job is closed.
    """

    job: str
    shard: int
    slot: int
    driver: str
    state: SlotState
    attempt: int
    node: str
    until_ms: int
    tries: int
    reason: str
    copies: list[CopyBody]


class Touched:
    """Which rows may have changed since they were last written; `size` bounds how many."""

    def __init__(self) -> None:
        self.nodes: dict[str, None] = {}
        self.jobs: dict[str, set[int] | None] = {}
        self.size = 0

    def add(self, entry: Entry, network: Network) -> None:
        """Note what a message that was just folded may have changed."""
        for part in entry.parts():
            self._add(part, network)

    def _add(self, entry: Entry, network: Network) -> None:
        event = entry.event
        name = entry.address.job
        if name == NET:
            of = event.data.node if isinstance(event, NodeLost | NodeQuarantined) else ""
            self.nodes[of or entry.address.author] = None
            return
        job = network.jobs.get(name)
        if job is None:
            return
        kind = entry.address.kind
        items = _ITEMS.get(kind)
        if items is not None:
            self._add_shards(name, {item.shard for item in getattr(event.data, items)})
            if isinstance(event, ResultsJudged):
                self._add_judged(job, event)
        elif kind in _OF_JOB:
            self._add_shards(name, set())
        elif kind in _OF_ALL:
            self.jobs[name] = None
            self.size += len(job.shards)

    def add_all(self, network: Network) -> None:
        """Note all that a fold begins with: of the base of a log nothing was written yet."""
        self.nodes.update(dict.fromkeys(network.nodes.members))
        self.jobs.update(dict.fromkeys(network.jobs))
        self.size += sum(1 + len(job.shards) for job in network.jobs.values())

    def join(self, other: "Touched") -> None:
        """Take in what another has noted."""
        self.nodes |= other.nodes
        for name, shards in other.jobs.items():
            known = self.jobs.get(name, shards)
            self.jobs[name] = None if known is None or shards is None else known | shards
        self.size += other.size

    def _add_shards(self, job: str, shards: set[int]) -> None:
        known = self.jobs.setdefault(job, shards)
        if known is not None and known is not shards:
            known |= shards
        self.size += 1 + len(shards)

    def _add_judged(self, job: Job, event: ResultsJudged) -> None:
        """Note whose standing a verdict may have changed."""
        if job.spec.deal.replicas == 1:
            return
        for judgement in event.data.judgements:
            if 0 <= judgement.shard < len(job.shards):
                for execution in job.shards[judgement.shard].executions:
                    self.nodes[execution.node] = None


def node_rows(touched: Touched, network: Network) -> list[Change]:
    """Return the rows of `nodes`: each is all that is known of a node, by name."""
    members = network.nodes.members
    return [("nodes", name, _encode(members[name])) for name in touched.nodes if name in members]


def job_rows(touched: Touched, network: Network) -> Iterator[Change]:
    """Yield the rows of the other projections; the fold may go on in between."""
    for name, indices in touched.jobs.items():
        job = network.jobs.get(name)
        if job is None:
            continue
        yield "jobs", name, _encode(_job(job))
        for index in range(len(job.shards)) if indices is None else indices:
            if 0 <= index < len(job.shards):
                yield from _shard_rows(job, index, job.shards[index])


def _job(job: Job) -> JobBody:
    spec, counts = job.spec, job.counts
    return JobBody(
        id=job.id,
        name=spec.name,
        engine=spec.engine,
        labels=spec.labels,
        state=job.state,
        closed=job.closed,
        submitted_at=job.submitted_at,
        ended_at=job.ended_at,
        deadline_ms=job.deadline_ms,
        shards=len(job.shards),
        completed=counts.get("completed", 0),
        failed=counts.get("failed", 0),
        cancelled=counts.get("cancelled", 0),
        replicas=spec.deal.replicas,
        cancel_asked=job.cancel_asked,
        root_cid=job.root_cid,
        dag_size_bytes=job.dag_size_bytes,
        code=job.code,
        reason=job.reason,
        exit_code=job.exit_code,
    )


def _shard_rows(job: Job, index: int, shard: Shard) -> Iterator[Change]:
    waits = False
    for attempt, execution in enumerate(shard.executions):
        waits = waits or execution.state in COMMITTED
        body = _encode(_execution(job, index, attempt, execution))
        yield "executions", execution_id(job.id, index, attempt), body
    key = f"{job.id}/{index}"
    yield "verification", key, _encode(_verification(job, index, shard)) if waits else None
    for number, slot in shard.slots.items():
        shown = slot.copies or shard.state == "publishing"
        body_of_slot = _encode(_publication(job, index, shard, number, slot)) if shown else None
        yield "publication", f"{key}/{number}", body_of_slot


def _execution(job: Job, index: int, attempt: int, execution: Execution) -> ExecutionBody:
    return ExecutionBody(
        job=job.id,
        shard=index,
        attempt=attempt,
        node=execution.node,
        state=execution.state,
        awarded_ms=execution.awarded_ms,
        until_ms=execution.until_ms,
        claim=execution.claim,
        reason=execution.reason,
    )


def _verification(job: Job, index: int, shard: Shard) -> VerificationBody:
    states = list(enumerate(shard.executions))
    running = [attempt for attempt, e in states if e.state in BUSY]
    return VerificationBody(
        job=job.id,
        shard=index,
        confidence=job.spec.deal.confidence,
        committed=[attempt for attempt, e in states if e.state in COMMITTED],
        asked=[attempt for attempt, e in states if e.asked and e.state in COMMITTED],
        revealed=[attempt for attempt, e in states if e.state == "revealed"],
        running=running,
        until_ms=max((shard.executions[attempt].until_ms for attempt in running), default=0),
        reveal_until_ms=shard.reveal_until_ms,
    )


def _publication(job: Job, index: int, shard: Shard, number: int, slot: Slot) -> PublicationBody:
    assigned = 0 <= slot.attempt < len(shard.executions)
    publishers = job.spec.publishers
    return PublicationBody(
        job=job.id,
        shard=index,
        slot=number,
        driver=publishers[number].driver if 0 <= number < len(publishers) else "",
        state=slot.state,
        attempt=slot.attempt,
        node=shard.executions[slot.attempt].node if assigned else "",
        until_ms=slot.until_ms,
        tries=slot.tries,
        reason=slot.reason,
        copies=[
            CopyBody(copy.attempt, copy.uri, copy.cid, copy.size_bytes, copy.duration_ms)
            for copy in slot.copies
        ],
    )
