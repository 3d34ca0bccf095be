"""Fold how a job ends: completed, failed or cancelled, and then closed."""

from events.decisions import JobCancelled, JobClosed, JobCompleted, JobFailed
from events.requests import CancelRequested
from projections.evolve.step import Step, finish


def cancel_requested(step: Step, event: CancelRequested) -> None:
    """A wish: a requester will decide."""
    if step.job.cancel_asked is None:
        step.job.cancel_asked = event.data.reason
    else:
        step.late()


def job_completed(step: Step, event: JobCompleted) -> None:
    """The job has its result."""
    job, data = step.job, event.data
    if job.counts.get("completed", 0) != len(job.shards) and not job.held:
        step.illegal("job.completed", job.state, "not every shard is completed")
        return
    job.state = "completed"
    job.root_cid, job.dag_size_bytes = data.root_cid, data.dag_size_bytes
    job.manifest = data.manifest
    _end(step, closed=data.closed)


def job_failed(step: Step, event: JobFailed) -> None:
    """The job ended without its result."""
    job, data = step.job, event.data
    job.state = "failed"
    job.code, job.reason, job.exit_code = data.code, data.reason, data.exit_code
    _end(step, closed=data.closed)


def job_cancelled(step: Step, event: JobCancelled) -> None:
    """A cancel was granted."""
    job = step.job
    job.state = "cancelled"
    job.code, job.reason = "cancelled", event.data.reason
    _end(step, closed=event.data.closed)


def job_closed(step: Step, _: JobClosed) -> None:
    """Nothing is open any more."""
    if step.job.closed:
        step.illegal("job.closed", step.job.state, "it is closed already")
    step.job.closed = True


def _end(step: Step, *, closed: bool) -> None:
    job = step.job
    job.ended_ms = step.entry.time_ms
    job.ended_at = step.entry.event.time
    job.closed = closed
    # A job that is completed has all its shards, also where this fold could not follow.
    state = "completed" if job.state == "completed" else "cancelled"
    for index, shard in enumerate(job.shards):
        if shard.state not in ("completed", "failed", "cancelled"):
            finish(step, index, shard, state)
