"""A job for a file of its own, from what the log says of it up to a position."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from events.log import Readable, Record
from events.subjects import NODES, job_events
from events.times import rfc3339
from node.jobs import unreadable
from node.observer.job_streams import Told
from node.web.api.drawn_job import drawn
from node.web.api.rows import event_rows
from node.web.job_page import job_page
from node.web.kept_results import KeptResult, ResultAccess, kept_results
from node.web.views.kept import kept_views
from projections.base import begin
from projections.job_fold import JobFold
from projections.views import shard_views

EVENTS_MAX = 5_000
EVENTS_BYTES_MAX = 8 * 1024 * 1024
"""Events that a file lists one by one; it counts and draws all of them."""


async def exported_job(
    log: Readable, job: str, *, until: int | None, now_ms: int, access: ResultAccess | None
) -> bytes:
    """Return the file of a job, by its whole id, as of a position; None is the end of the log.

    What the job came to is read from `access`, as it is now; None where there is nobody to ask.
    Raises NotFound for a job that had not been submitted by then, and LogError.
    """
    fold = JobFold(job, begin(await log.base()))
    rows: list[dict[str, Any]] = []
    position, time_ms, size_bytes, cut = 0, 0, 0, False
    async with aclosing(_records(log, job, fold.travel.network.position, until)) as records:
        async for record in records:
            entry = fold.fold(record)
            if entry is None:
                continue
            time_ms = max(time_ms, entry.time_ms)
            if entry.address.job == job:
                position = record.position
                cut = cut or len(rows) >= EVENTS_MAX or size_bytes > EVENTS_BYTES_MAX
                size_bytes += len(record.body)
                rows += [] if cut else event_rows(record)
    if fold.job is None:
        raise unreadable(fold.travel.network, job)
    nodes = fold.travel.network.nodes
    now = now_ms if until is None else time_ms
    told = Told(fold.job, nodes, fold.timeline, fold.lanes)
    said = f"as of {rfc3339(now)}, position {until or position:,} of its log"
    lacking = [f"Events after the first {len(rows):,}, one by one: a file lists no more."]
    results = await kept_results(access, fold.job, nodes)
    # The fold is this export's own, and of a large job all of this takes seconds.
    return await asyncio.to_thread(_page, told, rows, results, lacking if cut else [], now, said)


def _page(
    told: Told,
    rows: list[dict[str, Any]],
    results: Mapping[int, KeptResult],
    lacking: list[str],
    now_ms: int,
    said: str,
) -> bytes:
    job = told.job
    shards = (shard_views(job, index, index + 1)[0] for index in range(len(job.shards)))
    views = kept_views(drawn(told, None, now_ms=now_ms), shards, rows, results, lacking)
    return job_page(job.id, said, views)


async def _records(
    log: Readable, job: str, after: int, until: int | None
) -> AsyncGenerator[Record, None]:
    filters = (job_events(job), NODES)
    async with aclosing(log.read(filters, after=after)) as batches:  # type: ignore[type-var]
        async for records in batches:
            for record in records:
                if until is not None and record.position > until:
                    return
                yield record
