"""A job as the spans of a trace: the job, and under it its shards, executions and publications.

All follows from the job's events: the times are theirs, and ids are derived from names. So the same
log gives the same spans wherever and however often it is folded, and sending them again changes
nothing for a store that keeps one span for an id.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from events.commitment import execution_id
from events.entry import Entry
from events.trace_context import parse
from projections.lanes import Lane, Lanes
from projections.state import Job, Mutable, Slot, SlotState
from projections.steps.picture import named_shards

IN_WORK: frozenset[SlotState] = frozenset({"assigned", "started", "looking"})
OVER = frozenset({"accepted", "publishing", "published", "rejected", "failed", "lost", "cancelled"})
"""The states in which an execution is over; what comes then is its publications' affair."""

FAILED = frozenset({"failed", "rejected", "lost", "retry", "doubtful"})
TEXT_MAX = 500
"""Characters of a reason or an address in a span."""


class Span(NamedTuple):
    """Something that took time. Ids are lower-case hex; `parent_id` is "" for the root of a trace.

    `marks` are points within it. `failure` says why it came to nothing, "" if it did not.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ms: int
    end_ms: int
    attributes: dict[str, str | int]
    marks: tuple[tuple[str, int], ...] = ()
    failure: str = ""


class Upload(Mutable):
    """A publication of a shard by one publisher, from when it was given to a node."""

    shard: int
    slot: int
    attempt: int
    decision: str
    marks: list[tuple[str, int]]
    uri: str = ""
    size_bytes: int = 0
    reason: str = ""

    @property
    def open(self) -> bool:
        """Whether a node still has it in hand."""
        return self.marks[-1][0] in IN_WORK


class JobTrace(Mutable):
    """What is gathered of a job while it runs, to be told as spans when it has ended."""

    lanes: Lanes
    uploads: dict[tuple[int, int], list[Upload]] = {}

    def note(self, job: Job, entry: Entry) -> None:
        """Take in an event of the job that was folded just now."""
        self.lanes.note(job, entry)
        count = len(job.shards)
        for part in entry.parts():
            for index in dict.fromkeys(named_shards(part.event, count)):
                for number, slot in job.shards[index].slots.items():
                    self._slot((index, number), slot, entry.time_ms)

    def _slot(self, key: tuple[int, int], slot: Slot, time_ms: int) -> None:
        uploads = self.uploads.setdefault(key, [])
        last = uploads[-1] if uploads else None
        if last is not None and last.open and last.decision != slot.decision:
            last.marks.append(("reassigned", time_ms))
        if last is not None and last.decision == slot.decision:
            if last.marks[-1][0] != slot.state:
                last.marks.append((slot.state, max(time_ms, last.marks[-1][1])))
        elif slot.state in IN_WORK:
            last = Upload(
                shard=key[0],
                slot=key[1],
                attempt=slot.attempt,
                decision=slot.decision,
                marks=[(slot.state, time_ms)],
            )
            uploads.append(last)
        if last is not None and slot.copies:
            copy = slot.copies[-1]
            last.uri, last.size_bytes = copy.uri, copy.size_bytes
        elif last is not None:
            last.reason = slot.reason


def begin_trace() -> JobTrace:
    """Return what to gather a job with, from its submission on."""
    return JobTrace(lanes=Lanes())


def spans(job: Job, trace: JobTrace) -> Iterator[Span]:
    """Yield the spans of a job that has ended: its own first, then by shard."""
    given = parse(job.traceparent)
    trace_id = given.trace_id if given is not None else _id("trace", job.id, 16)
    root = Span(
        trace_id,
        _id("job", job.id),
        given.span_id if given is not None else "",
        "job",
        trace.lanes.start_ms,
        max(trace.lanes.start_ms, job.ended_ms),
        {
            "lota.job.id": job.id,
            "lota.job.name": job.spec.name,
            "lota.job.state": job.state,
            "lota.job.shards": len(job.shards),
            "lota.engine": job.spec.engine,
        },
        failure="" if job.state == "completed" else _text(job.reason or job.state),
    )
    yield root
    executions: dict[int, list[Lane]] = {}
    for lane in trace.lanes.lanes.values():
        executions.setdefault(lane.shard, []).append(lane)
    uploads: dict[int, list[Upload]] = {}
    for (index, _), several in trace.uploads.items():
        uploads.setdefault(index, []).extend(several)
    for index in range(len(trace.lanes.stays)):
        shard = _shard(job, trace.lanes, index, root)
        yield shard
        for lane in executions.get(index, ()):
            yield _execution(job, lane, shard)
        yield from _publications(job, uploads.get(index, ()), shard)


def _shard(job: Job, lanes: Lanes, index: int, parent: Span) -> Span:
    stay, shard = lanes.stays[index], job.shards[index]
    took = {f"lota.shard.{stage}_ms": spent for stage, spent in stay.spent_ms.items()}
    return Span(
        parent.trace_id,
        _id("shard", f"{job.id}-{index}"),
        parent.span_id,
        "shard",
        parent.start_ms,
        _within(parent, parent.end_ms if stay.stage else stay.since_ms),
        {
            "lota.job.id": job.id,
            "lota.shard.index": index,
            "lota.shard.state": shard.state,
            **took,
        },
        failure=_text(shard.reason or shard.state) if shard.state == "failed" else "",
    )


def _execution(job: Job, lane: Lane, parent: Span) -> Span:
    name = execution_id(job.id, lane.shard, lane.attempt)
    execution = job.shards[lane.shard].executions[lane.attempt]
    marks = [(mark.state, mark.at_ms) for mark in lane.marks]
    over = next((at for at, mark in enumerate(marks) if mark[0] in OVER), None)
    marks = marks if over is None else marks[: over + 1]
    start_ms = _within(parent, marks[0][1])
    return Span(
        parent.trace_id,
        _id("execution", name),
        parent.span_id,
        "execution",
        start_ms,
        max(start_ms, _within(parent, parent.end_ms if over is None else marks[-1][1])),
        {
            "lota.execution.id": name,
            "lota.execution.state": execution.state,
            "lota.shard.index": lane.shard,
            "lota.node": lane.node,
        },
        tuple(marks),
        _text(execution.reason or execution.state) if execution.state in FAILED else "",
    )


def _publications(job: Job, uploads: Iterable[Upload], parent: Span) -> Iterator[Span]:
    for nth, upload in enumerate(uploads):
        executions = job.shards[upload.shard].executions
        state, end_ms = upload.marks[-1]
        start_ms = _within(parent, upload.marks[0][1])
        yield Span(
            parent.trace_id,
            _id("publication", f"{job.id}-{upload.shard}/{upload.slot}/{nth}"),
            parent.span_id,
            "publication",
            start_ms,
            max(start_ms, _within(parent, parent.end_ms if upload.open else end_ms)),
            {
                "lota.execution.id": execution_id(job.id, upload.shard, upload.attempt),
                "lota.shard.index": upload.shard,
                "lota.node": executions[upload.attempt].node,
                "lota.publication.driver": job.spec.publishers[upload.slot].driver,
                "lota.publication.state": state,
                "lota.publication.uri": _text(upload.uri),
                "lota.publication.size_bytes": upload.size_bytes,
            },
            tuple(upload.marks),
            _text(upload.reason or state) if state in FAILED else "",
        )


def _within(parent: Span, time_ms: int) -> int:
    """Return the time, or the end of the parent that is nearer: clocks may disagree."""
    return min(max(time_ms, parent.start_ms), parent.end_ms)


def _text(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


def _id(kind: str, name: str, length_bytes: int = 8) -> str:
    """Return an id that follows from a name; no two kinds share a name's."""
    return hashlib.sha256(f"lota {kind} {name}".encode()).hexdigest()[: 2 * length_bytes]
