"""What must hold after every step, whatever goes wrong.

The checker folds the log as it grows and looks at what each message touched; the seals and the
ledger it keeps for itself. It raises `Violation` at the first thing that must not be.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from events.codec import AnyEvent, Codec
from events.commitment import commit
from events.decisions import Decision
from events.entry import Entry
from events.log import Record
from events.seal import EMPTY, extend
from projections.network import Network
from projections.state import OPEN, TERMINAL, Job
from tests.simulation.jobs import truth
from tests.simulation.services import PAID, Services

ITEM_LISTS = (
    "awards",
    "lost",
    "executions",
    "judgements",
    "assignments",
    "revoked",
    "failures",
    "proposals",
    "reveals",
    "starts",
    "publications",
)


class Violation(AssertionError):
    """An invariant that did not hold; `what` names it the same way for every seed."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what}: {where}")
        self.what = what


class Checker:
    """The fold of the log as it stands, and what was seen of each job."""

    def __init__(self, services: Services, suspects: set[str], codec: Codec) -> None:
        self.network = Network(codec)
        self.closed: dict[str, Job] = {}
        self._services = services
        self._suspects = suspects
        self._seals: dict[str, list[bytes]] = {}
        self._illegal: dict[str, int] = {}
        services.published = self._published

    def stored(self, record: Record) -> None:
        """Fold one message that was just stored and check what it touched."""
        network = self.network
        name = record.subject.split(".")[3]
        job = network.jobs.get(name)
        state = job.state if job is not None else "submitted"
        entry = network.fold(record)
        job = network.jobs.get(name)
        if job is None:
            return
        seals = self._seals.setdefault(name, [EMPTY])
        if entry is not None:
            self._check_decision(entry, seals)
        seals.append(extend(seals[-1], record.subject, record.body))
        demand(
            state not in TERMINAL or job.state == state, "a job ends once", f"{name} {job.state}"
        )
        self._check_legal(job)
        if entry is not None:
            for index in {index for part in entry.parts() for index in touched(part.event)}:
                if 0 <= index < len(job.shards):
                    check_shard(job, index)
        if job.closed:
            demand(job.seal == seals[-1], "the fold's seal is the log's", name)
            check_books(job)
            self.closed[name] = job
            network.retire(name)

    def folded(self, job: str) -> Job | None:
        """Return a job as the log stands, also when it is closed."""
        return self.network.jobs.get(job) or self.closed.get(job)

    def _check_decision(self, entry: Entry, seals: list[bytes]) -> None:
        event = entry.event
        if not isinstance(event, Decision) or entry.address.author in self._suspects:
            return
        seen = event.data.seen
        demand(
            seen < len(seals) and seals[seen].hex() == event.data.seal,
            "a decision seals what it saw",
            f"{entry.address.kind} {event.id} of {event.subject}, seen {seen}",
        )

    def _check_legal(self, job: Job) -> None:
        new = job.illegal - self._illegal.get(job.id, 0)
        if new:
            self._illegal[job.id] = job.illegal
            for story in job.stories[-new:]:
                where = (
                    f"{story.item} in {story.kind} by {story.author}, {story.state}: {story.why}"
                )
                demand(
                    story.author in self._suspects,
                    "honest processes are legal",
                    f"{job.id} {where}",
                )

    def _published(self, job: str, shard: int, node: str, driver: str) -> None:
        folded = self.folded(job)
        where = f"{job}-{shard} by {node} on {driver}"
        demand(folded is not None and shard < len(folded.shards), "what is published exists", where)
        assert folded is not None
        if not folded.spec.fused:
            accepted = any(
                e.node == node and e.state == "accepted" for e in folded.shards[shard].executions
            )
            demand(accepted, "nothing is published before its verdict", where)
        paid = self._services.payments.get((job, shard, driver), [])
        demand(driver != PAID or not paid, "no paid slot is paid twice", f"{where}, after {paid}")


def demand(holds: bool, what: str, where: str) -> None:
    """Raise a violation unless the invariant holds."""
    if not holds:
        raise Violation(what, where)


def touched(event: AnyEvent) -> Iterator[int]:
    """Yield the shards that an event has items about."""
    data: Any = event.data
    for name in ITEM_LISTS:
        for item in getattr(data, name, ()):
            yield getattr(item, "shard", -1)


def check_shard(job: Job, index: int) -> None:
    """Check what must hold for one shard at any time."""
    shard = job.shards[index]
    deal = job.spec.deal
    nodes = [e.node for e in shard.executions if e.state in OPEN or e.state == "accepted"]
    where = f"{job.id}-{index} on {nodes}"
    demand(len(nodes) <= deal.replicas, "executions stay within the replicas", where)
    demand(len(set(nodes)) == len(nodes), "replicas are on distinct nodes", where)
    verdict = shard.verdict
    accepted = verdict is not None and verdict.result == "accepted"
    if accepted and verdict is not None and deal.confidence > 1:
        demand(
            verdict.claim == truth(job.id, index),
            "no wrong result is accepted",
            f"{where}: {verdict.claim}",
        )
    for attempt, execution in enumerate(shard.executions):
        if execution.nonce and execution.claim is not None:
            names = (job.id, index, attempt, execution.node)
            opened = commit(*names, execution.claim, execution.nonce)
            demand(opened == execution.commitment, "a reveal opens its commitment", where)
    published = any(slot.state == "published" for slot in shard.slots.values())
    demand(accepted or not published, "a published result has its verdict", where)


def check_books(job: Job) -> None:
    """Check the counts that the fold keeps against what they count."""
    load: dict[str, int] = {}
    counts: dict[str, int] = {}
    for index, shard in enumerate(job.shards):
        check_shard(job, index)
        if shard.state in TERMINAL:
            counts[shard.state] = counts.get(shard.state, 0) + 1
        for execution in shard.executions:
            if execution.state in OPEN:
                load[execution.node] = load.get(execution.node, 0) + 1
    kept = {node: count for node, count in job.load.items() if count}
    demand(kept == load, "the load is what is open", f"{job.id}: {kept}, not {load}")
    kept_counts = {state: count for state, count in job.counts.items() if count}
    demand(kept_counts == counts, "the counts are right", f"{job.id}: {kept_counts} not {counts}")
    if job.state == "completed":
        done = counts.get("completed", 0) == len(job.shards)
        demand(done, "a completed job has all its shards", job.id)
    for number, slot in job.roots.items():
        right = slot.cid == job.root_cid or job.state != "completed"
        demand(right, "what is published as the root is the root", f"{job.id} slot {number}")


def snapshot(network: Network, closed: Mapping[str, Job]) -> bytes:
    """Return all that a fold knows, and the jobs as it let go of them, as bytes."""
    told = [network.nodes, network.position, network.late, network.foreign_kept]
    return msgspec.json.encode([*told, network.jobs, *(closed[name] for name in sorted(closed))])
