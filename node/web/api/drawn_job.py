"""What the page of a job is drawn from: of a large job not all, but what there is room for.

It is no document of the API: a page has the state of each shard, one shard whole, and the lanes
that tell most, whatever the number of shards.
"""

from typing import Any

import msgspec

from events.subjects import job_events
from node.observer.job_streams import Told
from node.web.api.asking import AsOfQuery, JobPath, OptionalShard
from node.web.api.jobs import standing, up_to_ms
from node.web.api.shared import Api, when
from projections.lanes import lanes_view
from projections.views import job_head, shard_views

LANES_MAX = 60


class DrawnQuery(AsOfQuery, frozen=True):
    """Which shard is shown whole; the only one by default."""

    shard: OptionalShard = msgspec.UNSET


async def read_drawn_job(api: Api, path: JobPath, query: DrawnQuery) -> dict[str, Any]:
    """Return what is drawn of a job; `first` and `last` are the positions of its events now."""
    past = await api.past(query.as_of)
    told = await api.observer.job(path.id, past)
    now_ms = up_to_ms(api, past, query.as_of)
    chosen = None if query.shard is msgspec.UNSET else query.shard
    found = await standing(api, told.job, lambda: drawn(told, chosen, now_ms=now_ms))

    log = api.observer.log
    base = await log.base()
    return {
        **when(past),
        **found,
        "first": max(told.job.first, base.position + 1 if base is not None else 1),
        "last": await log.last(job_events(told.job.id)),
    }


def drawn(told: Told, chosen: int | None, *, now_ms: int) -> dict[str, Any]:
    """Return a job's view with the states of its shards, one shard, and where its time went."""
    job = told.job
    count = len(job.shards)
    if chosen is None and count == 1:
        chosen = 0
    return {
        **job_head(job, told.nodes, told.timeline, now_ms=now_ms),
        "shards": [shard.state for shard in job.shards],
        "shard": shard_views(job, chosen, chosen + 1)[0]
        if chosen is not None and chosen < count
        else None,
        "lanes": lanes_view(job, told.lanes, now_ms=now_ms, most=LANES_MAX),
        "executions": len(told.lanes.lanes),
    }
