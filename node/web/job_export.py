"""A job for a file of its own, from what the log says of it up to a position."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from events.log import Readable, Record
from events.subjects import NODES, job_events
from events.times import rfc3339
from node.jobs import unreadable
from node.web.api.rows import event_rows
from node.web.job_page import job_page
from projections.base import begin
from projections.job_fold import JobFold
from projections.lanes import lanes_view
from projections.views import job_view

EVENTS_MAX = 5_000
EVENTS_BYTES_MAX = 8 * 1024 * 1024
"""Events that a file lists one by one; it counts and draws all of them."""


async def exported_job(log: Readable, job: str, *, until: int | None, now_ms: int) -> bytes:
    """Return the file of a job, by its whole id, as of a position; None is the end of the log.

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
    now = now_ms if until is None else time_ms
    when = {"position": until or position, "time": rfc3339(now)}
    said = f"as of {when['time']}, position {when['position']:,} of its log"
    if cut:
        said += f"; of its events the first {len(rows):,} are listed"
    # The fold is this export's own, and of a large job all of this takes seconds.
    return await asyncio.to_thread(_page, fold, rows, when, now, said)


def _page(
    fold: JobFold, rows: list[dict[str, Any]], when: dict[str, Any], now_ms: int, said: str
) -> bytes:
    job = fold.job
    assert job is not None
    view = job_view(job, fold.travel.network.nodes, fold.timeline, now_ms=now_ms)
    documents = {
        f"/jobs/{job.id}": {**when, **view},
        f"/jobs/{job.id}/lanes": {**when, **lanes_view(job, fold.lanes, now_ms=now_ms)},
        f"/jobs/{job.id}/events": {"events": rows, "next": None, "position": when["position"]},
    }
    return job_page(job.id, said, documents)


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
