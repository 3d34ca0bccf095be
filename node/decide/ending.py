"""Decide how a job ends, and when nothing of it is open any more."""

import msgspec

from events.cid import raw_cid
from events.decisions import (
    JobCancelled,
    JobCancelledData,
    JobClosed,
    JobClosedData,
    JobCompleted,
    JobCompletedData,
    JobFailed,
    JobFailedData,
)
from events.items import Manifest
from node.decide.root import publish_root
from node.decide.view import View, append
from node.effects import Append, WakeAt
from projections.outcome import results_of, root_of
from projections.state import Job

INLINE_BYTES_MAX = 8 * 1024


def end(view: View) -> Append | WakeAt | None:
    """End the job when every shard has ended: completed, or failed by its lowest failed shard."""
    job = view.job
    ended = sum(job.counts.values())
    if not job.shards or ended < len(job.shards):
        return None
    if job.counts.get("completed", 0) == len(job.shards):
        return publish_root(view) or _complete(view)
    shard = next(shard for shard in job.shards if shard.state == "failed")
    exit_code = None
    if shard.code == "user" and shard.verdict is not None and shard.verdict.claim is not None:
        exit_code = shard.verdict.claim.exit_code
    failed = job.counts.get("failed", 0)
    of = f"{failed} of {len(job.shards)} shards failed: " if len(job.shards) > 1 else ""
    return append(
        view,
        JobFailed,
        JobFailedData,
        code=shard.code,
        reason=of + shard.reason,
        exit_code=exit_code,
        closed=_quiet(job),
    )


def _complete(view: View) -> Append:
    job = view.job
    results = results_of(job)
    root, _ = root_of(job)
    blob = msgspec.json.encode(results)
    inline = len(blob) <= INLINE_BYTES_MAX
    manifest = Manifest(
        count=len(results), shards=results if inline else (), blob="" if inline else raw_cid(blob)
    )
    return append(
        view,
        JobCompleted,
        JobCompletedData,
        blobs=() if inline else (blob,),
        root_cid=root.cid,
        dag_size_bytes=root.dag_size_bytes,
        manifest=manifest,
        closed=_quiet(job),
    )


def overdue(view: View) -> Append:
    """End a job whose last deadline has passed: completed if it lacks nothing but its root."""
    job = view.job
    if job.shards and job.counts.get("completed", 0) == len(job.shards):
        return _complete(view)
    return fail(view, "deadline", f"not done within {job.spec.deadline}")


def fail(view: View, code: str, reason: str) -> Append:
    """End the job at once, for a reason that concerns all of it."""
    return append(view, JobFailed, JobFailedData, code=code, reason=reason, closed=_still(view.job))


def cancel(view: View) -> Append:
    """Grant a cancel; the fence admits it only if the job has not ended in another way."""
    reason = view.job.cancel_asked or ""
    return append(view, JobCancelled, JobCancelledData, reason=reason, closed=_still(view.job))


def close(view: View) -> Append | WakeAt:
    """Close an ended job once its executions have stopped, or a grace has passed."""
    job = view.job
    due_ms = job.ended_ms + view.policy.close_grace_ms
    if _quiet(job) or view.now_ms >= due_ms:
        return append(view, JobClosed, JobClosedData)
    return WakeAt(job.id, due_ms)


def _quiet(job: Job) -> bool:
    """Whether no node still runs anything of the job, as far as nodes have said."""
    return all(
        execution.ended or execution.state in ("lost", "accepted", "rejected")
        for shard in job.shards
        for execution in shard.executions
    )


def _still(job: Job) -> bool:
    """Whether nothing of the job was ever given to a node, so that ending it also closes it."""
    return not any(shard.executions for shard in job.shards)
