"""What is remembered of the jobs that are open: as little as the next event needs."""

import msgspec

from events.times import parse_ms
from projections.state import TERMINAL, Job
from projections.statistics.gauges import needs

UNKNOWN = -1
"""Stands for a time that is from before the log begins."""
UNKNOWN_BYTES = -(1 << 62)
"""Stands for bytes of before that; whatever is added, it stays below 0."""


class OpenJob(msgspec.Struct, gc=False):
    """A job until it is closed; `since` says of each shard when it came to its present stage.

    `waiting` shards wait for a node; `cpu` and `memory` are what one execution takes. When the job
    has ended, nothing of `since` is needed any more.
    """

    state: str
    start_ms: int
    cpu: int
    memory: int
    size_bytes: int = 0
    waiting: int = 0
    since: list[int] = []


class Kept(msgspec.Struct, array_like=True, gc=False):
    """Of an open job what a snapshot holds; the rest follows from the fold of the job."""

    size_bytes: int
    since: list[int]


def opened(job: Job) -> OpenJob:
    """Return what is remembered of a job of which nothing was remembered yet.

    How long its shards have been where they are is not known.
    """
    cpu, memory = needs(job)
    ended = job.state in TERMINAL
    return OpenJob(
        state=job.state,
        start_ms=parse_ms(job.submitted_at),
        cpu=cpu,
        memory=memory,
        size_bytes=UNKNOWN_BYTES,
        waiting=0 if ended else len(job.placing),
        since=[] if ended else [UNKNOWN] * len(job.shards),
    )


def restored(job: Job, kept: Kept) -> OpenJob:
    """Return what was remembered of a job. Raises ValueError when it is of another one."""
    made = opened(job)
    if len(kept.since) != len(made.since):
        raise ValueError(f"of {len(made.since)} shards of {job.id} {len(kept.since)} are known")
    made.size_bytes, made.since = kept.size_bytes, kept.since
    return made


def kept_of(job: OpenJob) -> Kept:
    """Return what a snapshot holds of a job."""
    return Kept(job.size_bytes, job.since)
