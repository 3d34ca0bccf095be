"""Jobs through a whole network: how many a second, and how long one takes.

Run: python -m benchmarks.jobs [--jobs 10000]
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from benchmarks.network import network
from events.blobs import Blobs
from events.connection import connect
from events.jetstream import JetStreamLog, open_blobs, open_log
from events.subjects import parse
from node.clock import now_ms
from node.gateway import Submission, prepare, submit
from node.ids import new_id, new_job_id
from events.spec_reader import read_spec
from publishers import names

ENDINGS = ("completed", "failed", "cancelled")
WINDOW = 256


class Client(NamedTuple):
    """A connection that submits jobs and hears of their ends."""

    log: JetStreamLog
    blobs: Blobs
    ends: dict[str, "asyncio.Future[str]"]

    async def submit(self, submission: Submission) -> "asyncio.Future[str]":
        """Submit a job; the future becomes its ending."""
        job = new_job_id()
        end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ends[job] = end
        await submit(
            self.log,
            self.blobs,
            submission,
            job=job,
            author="bench",
            new_id=new_id,
            now_ms=now_ms,
        )
        return end


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Client]:
    """Connect, and resolve the futures of jobs as they end."""
    connection = await connect(url, name="bench")
    log = await open_log(connection)
    made = Client(log, await open_blobs(connection), {})
    following = asyncio.ensure_future(_hear(made))
    try:
        yield made
    finally:
        following.cancel()
        await log.close()
        await connection.close()


async def _hear(made: Client) -> None:
    filters = [f"lota.ev.*.*.r.*.job.{ending}" for ending in ENDINGS]
    async for batch in made.log.follow(filters, after=await made.log.last()):
        for record in batch:
            address = parse(record.subject)
            end = made.ends.pop(address.job, None)
            if end is not None and not end.done():
                end.set_result(address.kind.removeprefix("job."))


async def rate(made: Client, document: Mapping[str, Any], jobs: int, window: int = WINDOW) -> float:
    """Return jobs a second, all of them completed, with so many under way at a time."""
    submission = await prepare(read_spec(document), publishers=names())
    room = asyncio.Semaphore(window)

    async def one() -> str:
        async with room:
            return await (await made.submit(submission))

    began = time.perf_counter()
    endings = await asyncio.gather(*(one() for _ in range(jobs)))
    seconds = time.perf_counter() - began
    if set(endings) != {"completed"}:
        raise SystemExit(f"not all jobs completed: {endings.count('completed')} of {jobs}")
    return jobs / seconds


async def latencies_ms(made: Client, document: Mapping[str, Any], jobs: int) -> list[float]:
    """Return how long each of so many jobs took, one after the other, sorted."""
    submission = await prepare(read_spec(document), publishers=names())
    taken: list[float] = []
    for _ in range(jobs):
        began = time.perf_counter()
        await (await made.submit(submission))
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


async def measure(jobs: int) -> None:
    """Print the figures for noop jobs."""
    verified = {"engine": "noop", "verifier": "deterministic"}
    fused = {"engine": "noop"}
    big = {"engine": "noop", "sharding": {"count": 1000}}
    async with network(2) as url, client(url) as made:
        await rate(made, fused, 200)
        taken = await latencies_ms(made, verified, 300)
        print(
            f"submit to completed, one noop job: p50 {statistics.median(taken):.1f} ms, "
            f"p99 {taken[int(len(taken) * 0.99)]:.1f} ms (limit: p50 10 ms)",
            flush=True,
        )
        print(
            f"noop jobs, 9 events each: {await rate(made, verified, jobs):,.0f} a second "
            f"(limit: 800), {jobs:,} jobs",
            flush=True,
        )
        print(
            f"noop jobs, 7 events each: {await rate(made, fused, jobs):,.0f} a second", flush=True
        )
        shards = await rate(made, big, max(4, jobs // 250), window=4) * 1000
        print(f"noop shards in jobs of 1,000: {shards:,.0f} a second (limit: 15,000)", flush=True)


def main() -> None:
    """Measure with the number of jobs given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=10_000)
    asyncio.run(measure(parser.parse_args().jobs))


if __name__ == "__main__":
    main()
