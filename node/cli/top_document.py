"""The document of `lota top`: the network now, its last minutes, and its last events."""

import asyncio
from collections import Counter
from typing import Any

from events.errors import LogError
from events.log import EVERYTHING
from events.times import rfc3339
from node.observer.observer import Observer
from node.web.api.rows import newest, page
from projections.track_records import TrackRecord

EVENTS = 10
EVENTS_PATIENCE_S = 2.0
"""How long the last events are waited for; a read would wait longer for a server that is away."""
SPAN_MS = 5 * 60_000
STEP_S = 5
A_SECOND = ("jobs.completed", "events")
"""Counts that are shown as so many a second."""


async def top_document(observer: Observer, now_ms: int) -> dict[str, Any]:
    """Return what there is to see; `now_ms` is where the series end.

    `jobs` counts those that are open by state, `queue` shards that wait for a node. `series` has
    completed jobs and events a second, and the queue at the end of each step. Of a node, `running`
    counts executions in hand, the rest is of all jobs that have ended. Raises DatabaseUnusable.
    """
    network = observer.network
    jobs = [job for job in network.jobs.values() if not job.closed]
    states = Counter(job.state for job in jobs)
    held = Counter[str]()
    for job in jobs:
        held.update(job.load)
    nodes = [_node(observer, name, held[name]) for name in sorted(network.nodes.members)]
    return {
        "position": observer.position,
        "time": rfc3339(observer.time_ms) if observer.time_ms else None,
        "lag": observer.lag,
        "jobs": {state: states[state] for state in ("submitted", "running")},
        "queue": sum(len(job.placing) for job in jobs),
        "running": held.total(),
        "nodes": nodes,
        "series": await _series(observer, now_ms),
        "events": await _last_events(observer),
    }


def _node(observer: Observer, name: str, held: int) -> dict[str, Any]:
    node = observer.network.nodes.members[name]
    record = observer.track_records.of.get(name) or TrackRecord()
    quarantined = node.state == "live" and (node.quarantined_until_ms or 0) > observer.time_ms
    return {
        "name": name,
        "state": "quarantined" if quarantined else node.state,
        "roles": list(node.capabilities.roles),
        "width": node.capabilities.width,
        "running": held,
        "won": record.won,
        "lost": record.lost,
        "declined": record.declined,
        "failed": record.failed,
        "agreed": node.agreed,
        "differed": node.differed,
    }


async def _series(observer: Observer, now_ms: int) -> dict[str, Any]:
    """Return the last minutes: counts a second, and the queue."""
    found = await observer.statistics.series(now_ms - SPAN_MS, now_ms, STEP_S * 1_000)
    counts = {name: [(count or 0) / STEP_S for count in found.series[name]] for name in A_SECOND}
    return {
        "since": rfc3339(found.since_ms),
        "step_s": STEP_S,
        **counts,
        "queue": found.series["queue"],
    }


async def _last_events(observer: Observer) -> list[dict[str, Any]]:
    """Return the last events, the newest last; none while the log cannot be read."""
    last = observer.position
    try:
        async with asyncio.timeout(EVENTS_PATIENCE_S):
            records, _ = await newest(
                observer.log,
                (EVERYTHING,),
                before=last + 1,
                first=max(1, last - EVENTS + 1),
                limit=EVENTS,
            )
    except (LogError, TimeoutError):
        return []
    rows = page(list(reversed(records)), ())
    return [{name: row[name] for name in FIELDS} for row in rows[-EVENTS:]]


FIELDS = ("position", "time", "type", "role", "job", "author", "summary")
