"""Events to a thousand clients at once, as server-sent events, and what it takes to have them.

Server and clients are a process each, and events come in batches of twenty, as from a busy log.
Rates are by the server's own time of the processor, so that clients and neighbours do not count. In
the last rounds half of the clients read nothing.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from benchmarks.figures import Figure, Limit
from tests.node.web.api.followers import Follower

CLIENTS = 1_000
EVENTS = 1_000
SINGLE = 20
PATH = "/api/v1/events"


class Spent(NamedTuple):
    """What the server has of the memory, and has had of the processor."""

    memory_kib: int
    processor_ms: int


class Server(NamedTuple):
    """The process that serves."""

    process: asyncio.subprocess.Process
    url: str

    async def append(self, events: int = 0) -> Spent:
        """Have it append events; return what it has taken by then."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"%d\n" % events)
        memory_kib, processor_ms = (await self.process.stdout.readline()).split()
        return Spent(int(memory_kib), int(processor_ms))


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    """Run the process that serves."""
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.sse_child", folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            yield Server(process, (await process.stdout.readline()).decode().strip())
            process.stdin.close()
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def all_at(followers: Iterable[Follower], position: int) -> None:
    """Wait until each has come to a position."""
    for follower in followers:
        await follower.until(position)
        assert follower.ids[-1:] == [position], "a client that reads was cut off"


async def connected(url: str, count: int, *, stalled: bool = False) -> list[Follower]:
    """Return so many clients."""
    return [await Follower.connect(url, PATH, stalled=stalled) for _ in range(count)]


async def rate(server: Server, followers: Sequence[Follower], position: int) -> float:
    """Return how many events reach clients for a second of the server's time."""
    before = await server.append()
    await server.append(EVENTS)
    await all_at(followers, position + EVENTS)
    after = await server.append()
    return 1000 * EVENTS * len(followers) / (after.processor_ms - before.processor_ms)


async def measure() -> AsyncIterator[Figure]:
    """Yield rates, the time of one event, and memory."""
    async with server() as served:
        empty = await served.append()
        followers = await connected(served.url, CLIENTS)
        filled = await served.append()
        position = 1
        yield Figure(
            what=f"memory for each of {CLIENTS:,} clients that follow",
            value=(filled.memory_kib - empty.memory_kib) / CLIENTS,
            unit="KiB",
            limit=Limit(100, at_most=True),
        )
        singles = []
        for _ in range(SINGLE):
            began = time.perf_counter()
            await served.append(1)
            position += 1
            await all_at(followers, position)
            singles.append(time.perf_counter() - began)
        yield Figure(
            what=f"one event to all of {CLIENTS:,} clients, median",
            value=1000 * statistics.median(singles),
            unit="ms",
            limit=Limit(500, at_most=True),
        )
        reached = await rate(served, followers, position)
        position += EVENTS
        yield Figure(
            what=f"events x clients a second of the processor, {CLIENTS:,} clients",
            value=reached,
            unit="/s",
            limit=Limit(300_000),
        )
        for follower in followers[CLIENTS // 2 :]:
            follower.transport.pause_reading()
        reading = followers[: CLIENTS // 2]
        before = await served.append()
        rates = []
        for _ in range(5):
            rates.append(await rate(served, reading, position))
            position += EVENTS
        after = await served.append()
        yield Figure(
            what="the same while half of them read nothing",
            value=statistics.median(rates),
            unit="/s",
            limit=Limit(300_000),
        )
        yield Figure(
            what="memory that those who read nothing cost the server, all together",
            value=max(0, after.memory_kib - before.memory_kib) / 1024,
            unit="MiB",
            limit=Limit(100, at_most=True),
        )
        for follower in followers:
            follower.close()
