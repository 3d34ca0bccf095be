"""Logs counted: the buckets that the fold makes of them, and an oracle that does it another way.

The oracle looks at jobs as they stand, whole, at the end and before and after each message, and at
the lanes of `projections.lanes`. It knows nothing of what an event was admitted to do.
"""

from collections import Counter
from collections.abc import Iterable

from events.entry import Entry
from events.facts import ExecutionsFailed, PublishFailed
from events.log import Record
from projections.lanes import Lanes
from projections.network import Network
from projections.state import BUSY, TERMINAL, Job
from projections.statistics import histogram
from projections.statistics.bucket import Bucket
from projections.statistics.fold import Fold
from projections.statistics.histogram import Bins
from projections.statistics.levels import EVER, LEVELS, Level

Buckets = dict[Level, dict[int, Bucket]]
States = dict[tuple[int, ...], str]


def count(records: Iterable[Record]) -> Buckets:
    """Return all buckets of a log, by level and start."""
    network = Network()
    fold = Fold(network)
    for record in records:
        fold.note(record, network.fold(record), network)
    return taken(fold)


def taken(fold: Fold) -> Buckets:
    """Return what a fold has counted since it was asked last."""
    fold.seal()
    buckets: Buckets = {level: {} for level in LEVELS}
    for (level, start), bucket in fold.pending.take().items():
        buckets[level][start] = bucket
    return buckets


def ever(records: Iterable[Record]) -> Bucket:
    """Return the one bucket of a whole log."""
    return count(records)[EVER][0]


class Oracle:
    """A log folded by the plain fold, every job kept for good."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.network = Network()
        self.moved: Counter[str] = Counter()
        self.samples: dict[str, list[int]] = {}
        self._lanes: dict[str, Lanes] = {}
        self._sizes: Counter[str] = Counter()
        for record in records:
            self._fold(record)

    def _fold(self, record: Record) -> None:
        self.moved["bytes"] += len(record.body)
        name = record.subject.split(".")[3]
        job = self.network.jobs.get(name)
        ended = job is not None and job.state in TERMINAL
        before = _executions(job)
        slots = _slots(job)
        entry = self.network.fold(record)
        if entry is None:
            return
        self.moved[f"events.{entry.address.kind}"] += 1
        job = self.network.jobs.get(name)
        if job is None or ended:
            return
        self._executions(entry, before, _executions(job))
        self._slots(entry, slots, _slots(job))
        self._stages(job, entry)
        self._sizes[name] += len(record.body)
        if job.state in TERMINAL:
            self._sample("messages_per_job", job.seen)
            self._sample("bytes_per_job", self._sizes[name])

    def _executions(self, entry: Entry, before: States, after: States) -> None:
        changed = {at for at, state in after.items() if before.get(at, "") != state}
        for at in changed:
            state = after[at]
            self.moved["executions." + ("started" if state == "running" else state)] += 1
            if state == "accepted" and entry.address.role == "c":
                self.moved["executions.proposed"] += 1
        self.moved["executions.revealed"] = 0
        if isinstance(entry.event, ExecutionsFailed):
            codes = {(item.shard, item.attempt): item.code for item in entry.event.data.failures}
            for at in changed:
                self.moved[f"failures.execution.{codes[at[0], at[1]]}"] += 1

    def _slots(self, entry: Entry, before: States, after: States) -> None:
        if isinstance(entry.event, PublishFailed):
            codes = {(item.shard, item.slot): item.code for item in entry.event.data.failures}
            codes |= {(-1, item.slot): item.code for item in entry.event.data.roots}
            for at, state in after.items():
                if before.get(at, "") != state:
                    self.moved["publications.failed"] += 1
                    self.moved[f"failures.publication.{codes[at[0], at[1]]}"] += 1

    def _stages(self, job: Job, entry: Entry) -> None:
        """Note the stays that lanes say have ended, and the lives of shards that have."""
        lanes = self._lanes.setdefault(job.id, Lanes())
        known = [(stay.stage, dict(stay.spent_ms)) for stay in lanes.stays]
        lanes.note(job, entry)
        known += [("queue", {})] * (len(lanes.stays) - len(known))
        for (stage, spent_ms), stay in zip(known, lanes.stays, strict=True):
            if stage != stay.stage:
                self._sample(f"latency.{stage}", stay.spent_ms[stage] - spent_ms.get(stage, 0))
                if not stay.stage:
                    self._sample("latency.total", sum(stay.spent_ms.values()))

    def _sample(self, name: str, value: int) -> None:
        self.samples.setdefault(name, []).append(value)

    def counts(self) -> dict[str, int]:
        """Return every count that is not 0."""
        network, made = self.network, Counter(self.moved)
        jobs = network.jobs.values()
        for job in jobs:
            _add_job(made, job)
        made["late"] = network.late + network.nodes.late + sum(job.late for job in jobs)
        made["illegal"] = network.nodes.illegal + sum(job.illegal for job in jobs)
        made["foreign"] = network.foreign
        made["newer"] = sum(skipped.count for skipped in network.newer.values())
        return {name: number for name, number in made.items() if number}

    def histograms(self) -> dict[str, Bins]:
        """Return the histograms of all values."""
        return {name: histogram.binned(values) for name, values in self.samples.items()}

    def gauges(self) -> dict[str, int]:
        """Return how things stand at the end."""
        jobs = [job for job in self.network.jobs.values() if job.state not in TERMINAL]
        live = [node for node in self.network.nodes.members.values() if node.state == "live"]
        able = [node.capabilities for node in live if "compute" in node.capabilities.roles]
        busy = [
            job.spec.resources
            for job in jobs
            for shard in job.shards
            for execution in shard.executions
            if execution.state in BUSY
        ]
        return {
            "queue": sum(len(job.placing) for job in jobs),
            "running": len(busy),
            "open_jobs": len(jobs),
            "nodes": len(live),
            "declared.cpu": sum(round(1000 * can.cpu) for can in able),
            "declared.memory_bytes": sum(can.memory_bytes for can in able),
            "declared.width": sum(can.width for can in able),
            "used.cpu": sum(round(1000 * asked.cpu) for asked in busy),
        }


def _executions(job: Job | None) -> States:
    return {
        (index, attempt): "proposed" if execution.state == "revealed" else execution.state
        for index, shard in enumerate(job.shards if job is not None else ())
        for attempt, execution in enumerate(shard.executions)
    }


def _slots(job: Job | None) -> States:
    if job is None:
        return {}
    shards = {
        (index, number): slot.state
        for index, shard in enumerate(job.shards)
        for number, slot in shard.slots.items()
    }
    return shards | {(-1, number): root.state for number, root in job.roots.items()}


def _add_job(made: Counter[str], job: Job) -> None:
    """Add what a job as it stands tells of what has happened to it."""
    made["jobs.submitted"] += 1
    if job.state in TERMINAL:
        made[f"jobs.{job.state}"] += 1
    if job.state == "failed":
        made[f"failures.job.{job.code}"] += 1
    made["offers"] += len(job.offers)
    made["bids.placed"] += sum(len(offer.bids) for offer in job.offers)
    made["bids.declined"] += sum(len(offer.declines) for offer in job.offers)
    made["shards.planned"] += len(job.shards)
    for shard in job.shards:
        if shard.state in TERMINAL:
            made[f"shards.{shard.state}"] += 1
        if shard.verdict is not None:
            own = shard.verdict.reason == "unverified"
            made[f"verdicts.{'unverified' if own else shard.verdict.result}"] += 1
        for slot in shard.slots.values():
            if slot.state == "published":
                made["publications.published"] += 1
                made["publications.bytes"] += slot.copies[0].size_bytes
    made["publications.published"] += sum(r.state == "published" for r in job.roots.values())
