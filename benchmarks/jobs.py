"""Jobs that do nothing, through a whole network: how many a second, and how long one takes."""

import statistics
from collections.abc import AsyncIterator

from benchmarks.client import client, latencies_ms, per_s
from benchmarks.figures import Figure, Limit
from benchmarks.network import network

JOBS = 10_000
PUBLISHED_JOBS = 3_000
LATENCIES = 1_000
WARM_UP = 500
SHARDS = 1_000
SHARDED_JOBS = 100
SHARDED_WINDOW = 4

PUBLISHED = {
    "engine": "noop",
    "verifier": "deterministic",
    "publishers": [{"driver": "local"}],
}
"""Nine stored events a job, and a folder synced to the disk."""
JUDGED = {"engine": "noop", "verifier": "deterministic"}
"""Eight: nothing is published."""
FUSED = {"engine": "noop"}
"""Seven: there is no verdict either."""
SHARDED = {"engine": "noop", "sharding": {"count": SHARDS}}


async def measure() -> AsyncIterator[Figure]:
    """Yield latency first, on a log that is short, then rates."""
    async with network(2) as server, client(server.url) as made:
        await per_s(made, FUSED, WARM_UP)
        taken = await latencies_ms(made, JUDGED, LATENCIES)
        yield Figure(
            what="submit to completed, one noop job, p50",
            value=statistics.median(taken),
            unit="ms",
            limit=Limit(10, at_most=True),
        )
        yield Figure(what="the same, p99", value=taken[int(len(taken) * 0.99)], unit="ms")
        for what, document, jobs in (
            ("9 events, published to a folder", PUBLISHED, PUBLISHED_JOBS),
            ("8 events, judged, no publisher", JUDGED, JOBS),
            ("7 events, no verifier either", FUSED, JOBS),
        ):
            yield Figure(
                what=f"noop jobs, {what}, {jobs:,} submitted",
                value=await per_s(made, document, jobs),
                unit="jobs/s",
                limit=Limit(800),
            )
        yield Figure(
            what="noop shards in jobs of 1,000",
            value=await per_s(made, SHARDED, SHARDED_JOBS, SHARDED_WINDOW) * SHARDS,
            unit="shards/s",
            limit=Limit(15_000),
        )
