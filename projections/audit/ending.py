"""Prove how a job ended: its root and manifest from its shards, and the reason for another end."""

from collections.abc import Iterator

import msgspec

from events.car import car
from events.cid import cid_bytes, raw_cid
from events.decisions import JobCancelled, JobCompleted, JobFailed, PublicationsAssigned
from events.errors import ContentError
from projections.audit.placement import Case, Wrong
from projections.outcome import results_of, root_of
from projections.state import Job

BAD_CLAIM = (ContentError, ValueError, OverflowError)
"""What comes of a root over claims whose CIDs or sizes are none."""


def completed(case: Case, event: JobCompleted) -> Iterator[Wrong]:
    """Find what is wrong with the root and the manifest of a job."""
    job, data = case.job, event.data
    if not _all_completed(job):
        yield "it completes a job", "all shards of a completed job are completed"
        return
    try:
        root, _ = root_of(job)
    except BAD_CLAIM as error:
        yield "it completes a job of impossible results", f"results have CIDs and sizes: {error}"
        return
    if (data.root_cid, data.dag_size_bytes) != root:
        told = f"its root is {data.root_cid} of {data.dag_size_bytes} bytes"
        yield told, f"its shards make {root.cid} of {root.dag_size_bytes} bytes"
    results, manifest = results_of(job), data.manifest
    if manifest.count != len(results):
        yield f"its manifest counts {manifest.count} shards", f"the job has {len(results)}"
    elif manifest.blob:
        blob = raw_cid(msgspec.json.encode(results))
        if manifest.blob != blob:
            yield f"its manifest is the blob {manifest.blob}", f"its shards make the blob {blob}"
    elif manifest.shards != results:
        pairs = zip(manifest.shards, results, strict=False)
        number = next((n for n, (one, other) in enumerate(pairs) if one != other), 0)
        right = msgspec.json.encode(results[number]).decode()
        yield f"its manifest is wrong in line {number}", f"the line is {right}"


def failed(case: Case, event: JobFailed) -> Iterator[Wrong]:
    """Find a failure that nothing in the log is a reason for."""
    job, data = case.job, event.data
    codes = {shard.code for shard in job.shards if shard.state == "failed"}
    match data.code:
        case "deadline":
            due_ms = job.deadline_ms or job.touched_ms + job.spec.deadline_ms
            if case.now_ms < due_ms:
                yield "it fails the job by its deadline", f"the deadline is at {due_ms}"
        case "inputs":
            if job.state != "submitted":
                yield "it fails a planned job by its inputs", "a plan follows from good inputs"
        case _:
            if data.code not in codes:
                right = f"shards failed by {', '.join(sorted(codes)) or 'nothing'}"
                yield f"it fails the job by {data.code}", right


def cancelled(case: Case, _: JobCancelled) -> Iterator[Wrong]:
    """Find a cancellation that nobody wished."""
    if case.job.cancel_asked is None:
        yield "it cancels a job", "cancel.requested comes before"


def roots(case: Case, event: PublicationsAssigned) -> Iterator[Wrong]:
    """Find what is wrong with the root that is to be published."""
    job, data = case.job, event.data
    if not data.roots or not _all_completed(job):
        return
    try:
        root, blocks = root_of(job)
    except BAD_CLAIM as error:
        yield "it publishes the root of impossible results", f"they have CIDs and sizes: {error}"
        return
    if data.root_cid != root.cid:
        yield f"the root to publish is {data.root_cid}", f"the shards make {root.cid}"
        return
    blob = raw_cid(car(cid_bytes(root.cid), reversed(blocks)))
    if data.root_blob != blob:
        yield f"the root's blocks are the blob {data.root_blob}", f"they are the blob {blob}"


def _all_completed(job: Job) -> bool:
    return bool(job.shards) and job.counts.get("completed", 0) == len(job.shards)
