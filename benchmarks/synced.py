"""The same as `jobs`, on a server that syncs every message to the disk before it answers."""

import statistics
from collections.abc import AsyncIterator

from benchmarks.client import client, latencies_ms, per_s
from benchmarks.figures import Figure, Limit
from benchmarks.jobs import FUSED, JUDGED
from benchmarks.network import network

JOBS = 1_500
LATENCIES = 200
WARM_UP = 100


async def measure() -> AsyncIterator[Figure]:
    """Yield latency and rates; the disk bounds both."""
    async with network(2, synced=True) as server, client(server.url) as made:
        await per_s(made, FUSED, WARM_UP)
        taken = await latencies_ms(made, JUDGED, LATENCIES)
        yield Figure(
            what="sync always: one noop job, p50",
            value=statistics.median(taken),
            unit="ms",
            limit=Limit(20, at_most=True),
        )
        yield Figure(
            what="sync always: noop jobs, 8 events",
            value=await per_s(made, JUDGED, JOBS),
            unit="jobs/s",
            limit=Limit(200),
        )
        yield Figure(
            what="sync always: noop jobs, 7 events",
            value=await per_s(made, FUSED, JOBS),
            unit="jobs/s",
            limit=Limit(200),
        )
