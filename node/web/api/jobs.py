"""Reading jobs: the list, one of them, its lanes, its events and its executions."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from events.clock import now_ms
from events.commitment import execution_id
from events.selection import filters
from events.times import rfc3339
from node.jobs import shard_indexes
from node.observer.past import Past
from node.web.api.asking import (
    AsOfQuery,
    ExecutionsQuery,
    JobEventsQuery,
    JobPath,
    JobsQuery,
    LanesQuery,
)
from node.web.api.endpoint import written
from node.web.api.rows import oldest, page
from node.web.api.shared import Api, when
from projections.lanes import lanes_view
from projections.state import Job
from projections.views import claim_view, job_head, shard_views

SHARDS_AT_ONCE = 200
SHARDS_IN_LOOP_MAX = 500
"""A job of more shards is written down by a thread, so that others are answered meanwhile."""

Made = TypeVar("Made")


async def list_jobs(api: Api, query: JobsQuery) -> dict[str, Any]:
    """List jobs, newest first.

    Several states mean any of them, several labels (`KEY` or `KEY=VALUE`) all of them; `q` is
    looked for in ids and names.
    """
    past = await api.past(query.as_of)
    found = await api.observer.jobs(
        past=past,
        states=query.state,
        labels=query.label,
        text=query.q,
        before=int(query.cursor) if query.cursor else None,
        limit=query.limit,
    )
    following = str(found.next) if found.next is not None else None
    return {**when(past), "jobs": found.rows, "next": following}


async def get_job(api: Api, path: JobPath, query: AsOfQuery) -> Response:
    """Describe one job: its spec, shards, verdicts and copies, when what happened, why it waits."""
    past = await api.past(query.as_of)
    found = await api.observer.job(path.id, past)
    now = up_to_ms(api, past, query.as_of)

    job = found.job
    head = {**when(past), **job_head(job, found.nodes, found.timeline, now_ms=now)}
    return await standing(api, job, lambda: written({**head, "shards": _shards(job)}))


async def get_job_lanes(api: Api, path: JobPath, query: LanesQuery) -> Response:
    """Say where the time of a job went: a lane for each execution, a sum for each stage."""
    past = await api.past(query.as_of)
    found = await api.observer.job(path.id, past)
    shard = None if query.shard is msgspec.UNSET else query.shard
    if shard is not None:
        shard_indexes(found.job, shard)
    at, now = when(past), up_to_ms(api, past, query.as_of)
    job, lanes = found.job, found.lanes

    def view() -> Response:
        return written({**at, **lanes_view(job, lanes, shard, now_ms=now)})

    return await standing(api, job, view)


async def list_job_events(api: Api, path: JobPath, query: JobEventsQuery) -> dict[str, Any]:
    """List the events of a job, oldest first."""
    observer = api.observer
    until = await api.position(query.as_of) if query.as_of else observer.position
    job = await observer.job_id(path.id)
    records, following = await api.read(
        partial(
            oldest,
            observer.log,
            filters(job, query.type),
            after=int(query.cursor or 0),
            until=until,
            limit=query.limit,
        )
    )
    return {
        "events": page(records, query.type),
        "next": str(following) if following is not None else None,
        "position": until,
    }


async def list_job_executions(api: Api, path: JobPath, query: ExecutionsQuery) -> dict[str, Any]:
    """List the executions of a job, in the order of shards and attempts."""
    past = await api.past(query.as_of)
    found = await api.observer.job(path.id, past)
    shards = range(len(found.job.shards))
    if query.shard is not msgspec.UNSET:
        shards = range(*slice(query.shard, query.shard + 1).indices(len(shards)))
    start = int(query.cursor or 0)
    rows = list(islice(_executions(found.job, shards, start), query.limit + 1))
    more = len(rows) > query.limit
    return {
        **when(past),
        "executions": rows[: query.limit],
        "next": str(start + query.limit) if more else None,
    }


def _executions(job: Job, shards: range, skip: int) -> Iterator[dict[str, Any]]:
    for index in shards:
        executions = job.shards[index].executions
        first, skip = skip, max(0, skip - len(executions))
        for attempt, execution in enumerate(executions[first:], first):
            yield {
                "id": execution_id(job.id, index, attempt),
                "shard": index,
                "attempt": attempt,
                "node": execution.node,
                "state": execution.state,
                "reason": execution.reason or None,
                "claim": claim_view(execution.claim),
                "awarded_at": rfc3339(execution.awarded_ms),
                "until": rfc3339(execution.until_ms),
            }


def _shards(job: Job) -> msgspec.Raw:
    """Return the shards of a job's document as JSON, made in pieces: no step of it is long."""
    starts = range(0, len(job.shards), SHARDS_AT_ONCE)
    parts = (shard_views(job, start, start + SHARDS_AT_ONCE) for start in starts)
    return msgspec.Raw(b"[%s]" % b",".join(msgspec.json.encode(part)[1:-1] for part in parts))


def up_to_ms(api: Api, past: Past, as_of: str) -> int:
    """Return up to when an open job goes on: to the moment that was asked for, or to now.

    A log without its network has its last event for now.
    """
    return past.time_ms if as_of or api.gateway is None else now_ms()


async def standing(api: Api, job: Job, make: Callable[[], Made]) -> Made:
    """Make something of a job that was told just now; a thread does it with a large one.

    Meanwhile the job stands, so that all of it is as of one position.
    """
    if len(job.shards) <= SHARDS_IN_LOOP_MAX:
        return make()
    with api.observer.standing(job.id):
        async with api.large:
            return await asyncio.to_thread(make)
