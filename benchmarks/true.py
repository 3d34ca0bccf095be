"""/bin/true as jobs, beside xargs and beside Dask distributed, which run the same command.

The peers keep no history. Rounds go in turn, so that a machine that drifts moves all; a ratio is
the median of the rounds' own ratios.
"""

import asyncio
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

from benchmarks.client import Client, client, per_s
from benchmarks.dask_cluster import Dask, dask
from benchmarks.figures import Figure, Limit, Peer, Unavailable
from benchmarks.network import network
from benchmarks.process_engine import xargs_per_s

SHARDS = 1_000
JOBS = 1_000
ROUNDS = 5
WIDTH = 2
WARM_UP = 200

COMMAND = {"engine": "process", "command": ["/bin/true"], "timeout": "30s"}
MANY = COMMAND | {"sharding": {"count": SHARDS}}
AHEAD = Limit(1.0)


async def measure() -> AsyncIterator[Figure]:
    """Yield shards a second, in large jobs and in jobs of one shard, each beside both peers."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(network(WIDTH))
        made = await stack.enter_async_context(client(server.url))
        try:
            cluster = await stack.enter_async_context(dask())
        except Unavailable as missing:
            print(f"  without Dask: {missing}", flush=True)
            cluster = None
        await per_s(made, COMMAND, WARM_UP)
        rounds = [await _round(made, cluster) for _ in range(ROUNDS)]
    for name, what, limit, own, dask_does in (
        ("many", "/bin/true in jobs of 1,000 shards", 0.8, "shards", "map"),
        ("one", "/bin/true in jobs of one shard", 0.45, "jobs", "submit"),
    ):
        peers = [("xargs -P2", "xargs", Limit(limit))]
        peers += [(f"Dask, {dask_does}", dask_does, AHEAD)] if cluster is not None else []
        for title, peer, needed in peers:
            yield Figure(
                what=what,
                value=statistics.median(came[name] for came in rounds),
                unit=f"{own}/s",
                peer=Peer(
                    name=title,
                    value=statistics.median(came[peer] for came in rounds),
                    ratio=statistics.median(came[name] / came[peer] for came in rounds),
                    limit=needed,
                ),
            )


async def _round(made: Client, cluster: Dask | None) -> dict[str, float]:
    """Measure everything once, in turn."""

    async def large() -> float:
        return await per_s(made, MANY, 1) * SHARDS

    steps: dict[str, Callable[[], Awaitable[float]]] = {
        "xargs": lambda: asyncio.to_thread(xargs_per_s, SHARDS, WIDTH),
        "many": large,
        "one": lambda: per_s(made, COMMAND, JOBS),
    }
    if cluster is not None:
        steps["map"] = lambda: cluster.per_s("map", SHARDS)
        steps["submit"] = lambda: cluster.per_s("submit", SHARDS)
    return {name: await step() for name, step in steps.items()}
