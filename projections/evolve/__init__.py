"""`evolve`: fold one stored event into one job. A plain function of the log.

The same function folds live, in replay, in tests and in the simulator. An item that the tables do
not admit is skipped, counted and kept with its story; it is never raised.
"""

from collections.abc import Callable
from typing import Any

from events.codec import KINDS, AnyEvent
from events.decisions import (
    ExecutionsLost,
    JobCancelled,
    JobClosed,
    JobCompleted,
    JobFailed,
    JobPlanned,
    PublicationsAssigned,
    PublicationsRevoked,
    ResultsJudged,
    RevealsRequested,
    ShardsAwarded,
    ShardsFailed,
    ShardsOffered,
)
from events.entry import Entry
from events.facts import (
    BidsDeclined,
    BidsPlaced,
    ExecutionsFailed,
    ExecutionsStarted,
    InputsListed,
    PublishFailed,
    PublishStarted,
    ResultsProposed,
    ResultsPublished,
    ResultsRevealed,
)
from events.log import Record
from events.requests import CancelRequested, JobSubmitted
from events.seal import extend
from events.trace_context import normal
from projections.evolve import ending, placement, publishing, running, verdict
from projections.evolve.step import Move, Step, remember
from projections.state import Job
from projections.transitions import ILLEGAL, JOB, LATE

Handler = Callable[[Step, Any], None]

_FOLDED: dict[type[AnyEvent], tuple[str, Handler]] = {
    InputsListed: ("listed", placement.inputs_listed),
    JobPlanned: ("planned", placement.job_planned),
    ShardsOffered: ("round", placement.shards_offered),
    BidsPlaced: ("fact", placement.bids_placed),
    BidsDeclined: ("fact", placement.bids_declined),
    ShardsAwarded: ("round", placement.shards_awarded),
    ExecutionsStarted: ("fact", running.executions_started),
    ExecutionsFailed: ("fact", running.executions_failed),
    ExecutionsLost: ("round", running.executions_lost),
    ResultsProposed: ("fact", running.results_proposed),
    RevealsRequested: ("round", verdict.reveals_requested),
    ResultsRevealed: ("fact", verdict.results_revealed),
    ResultsJudged: ("round", verdict.results_judged),
    PublicationsAssigned: ("round", publishing.publications_assigned),
    PublicationsRevoked: ("round", publishing.publications_revoked),
    PublishStarted: ("fact", publishing.publish_started),
    ResultsPublished: ("fact", publishing.results_published),
    PublishFailed: ("fact", publishing.publish_failed),
    ShardsFailed: ("round", running.shards_failed),
    CancelRequested: ("cancel", ending.cancel_requested),
    JobCompleted: ("completed", ending.job_completed),
    JobFailed: ("failed", ending.job_failed),
    JobCancelled: ("cancelled", ending.job_cancelled),
    JobClosed: ("closed", ending.job_closed),
}
_HANDLERS = {KINDS[kind]: handled for kind, handled in _FOLDED.items()}
"""By name, so that a type that has gained a field is folded alike."""


def begin(entry: Entry, event: JobSubmitted, moves: list[Move] | None = None) -> Job:
    """Return the job that a submission starts."""
    job = Job(
        id=event.subject,
        spec=event.data.spec,
        digest=event.data.digest,
        inputs=list(event.data.inputs),
        submitted_at=event.time,
        gateway=entry.address.author,
        traceparent=normal(event.traceparent or ""),
        first=entry.position,
        touched_ms=entry.time_ms,
    )
    count(job, entry.record)
    job.last_event = event.id
    for part in entry.more:
        _apply(job, part, moves)
    remember(job, entry)
    return job


def evolve(job: Job, entry: Entry, moves: list[Move] | None = None) -> Job:
    """Fold one more message of the job, in log order, and return the job.

    What it did is added to `moves`: all that the tables admitted, and what they did not.
    """
    count(job, entry.record)
    _apply(job, entry, moves)
    for part in entry.more:
        _apply(job, part, moves)
    if entry.address.role == "r":
        job.fence = entry.position
        job.last_decision = entry.event.id
        job.decider = entry.address.author
        job.touched_ms = entry.time_ms
    job.last_event = entry.event.id
    remember(job, entry)
    return job


def _apply(job: Job, entry: Entry, moves: list[Move] | None) -> None:
    """Take one event through the tables."""
    step = Step(job, entry, entry.address.author, moves)
    known = _HANDLERS.get(entry.address.kind)
    item, handler = known if known is not None else ("submitted", None)
    after = JOB[job.state, item]
    if after is LATE:
        _note_ended(step)
        step.late()
    elif after is ILLEGAL or handler is None:
        step.illegal(entry.address.kind, job.state, "not in this state of the job")
    else:
        handler(step, entry.event)


def count(job: Job, record: Record) -> None:
    """Take a stored message into `seen` and `seal`; also one that does not decode."""
    if not job.closed:
        job.seen += 1
        job.seal = extend(job.seal, record.subject, record.body)


def _note_ended(step: Step) -> None:
    """Learn from a late fact that an execution which the job's end cancelled has stopped."""
    event = step.entry.event
    if isinstance(event, ExecutionsFailed):
        for item in event.data.failures:
            found = step.execution(item.shard, item.attempt, "failed")
            if found is not None:
                found[1].ended = True
