"""Folding a log into the states of its jobs, beside a bare pull loop that throws everything away.

The log is a real one: jobs that a network has just run. What is measured is the live path: the same
reader, the same decoding and checks, the same fold.
"""

import gc
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator

from benchmarks.client import client, per_s
from benchmarks.figures import Figure, Limit, Peer
from benchmarks.jobs import JUDGED
from benchmarks.network import network
from benchmarks.reader import bare_s
from events.connection import connect
from events.jetstream import JetStreamLog, open_log
from projections.network import Network

JOBS = 13_000
ROUNDS = 3


async def fold_s(log: JetStreamLog) -> float:
    """Return the seconds that a whole replay takes; every job of it must have ended well.

    A closed job is let go of when its batch is folded, as the runner does.
    """
    gc.collect()
    network = Network()
    ended: Counter[str] = Counter()
    began = time.perf_counter()
    async for batch in log.read():
        for record in batch:
            network.fold(record)
        for job in [job for job in network.jobs.values() if job.closed]:
            ended[job.state] += 1
            network.retire(job.id)
    seconds = time.perf_counter() - began
    assert ended == {"completed": JOBS}, ended
    assert not network.foreign
    return seconds


async def measure() -> AsyncIterator[Figure]:
    """Yield events a second of the fold, in a process that does nothing else."""
    bare: list[float] = []
    folded: list[float] = []
    async with network(2) as server:
        async with client(server.url) as made:
            await per_s(made, JUDGED, JOBS)
        connection = await connect(server.url, name="bench")
        log = await open_log(connection)
        events = await log.last()
        for _ in range(ROUNDS):
            bare.append(await bare_s(connection, events))
            folded.append(await fold_s(log))
        await log.close()
        await connection.close()
    yield Figure(
        what=f"replay of {events:,} events into folded jobs",
        value=events / statistics.median(folded),
        unit="events/s",
        limit=Limit(70_000),
        peer=Peer(
            name="bare pull loop",
            value=events / statistics.median(bare),
            ratio=statistics.median(b / f for b, f in zip(bare, folded, strict=True)),
            limit=Limit(0.8),
        ),
    )
