"""A client of a benchmark's network: submits jobs, and hears of their ends from the log."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from events.blobs import Blobs
from events.client.gateway import Submission, prepare, submit
from events.clock import now_ms
from events.connection import connect
from events.ids import new_id, new_job_id
from events.jetstream import JetStreamLog, open_blobs, open_log
from events.spec_reader import read_spec
from events.subjects import parse

ENDINGS = ("completed", "failed", "cancelled")
WINDOW = 256


class Client(NamedTuple):
    """A connection that submits jobs, and the jobs whose ends it waits for."""

    log: JetStreamLog
    blobs: Blobs
    ends: dict[str, "asyncio.Future[str]"]

    async def run(self, submission: Submission) -> str:
        """Submit a job and return how it ended."""
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
        return await end


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Client]:
    """Connect, and resolve what waits for a job as it ends."""
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


async def per_s(
    made: Client, document: Mapping[str, Any], jobs: int, window: int = WINDOW
) -> float:
    """Return jobs a second with so many under way; raises unless every one completes."""
    submission = await prepare(read_spec(document))
    room = asyncio.Semaphore(window)

    async def one() -> str:
        async with room:
            return await made.run(submission)

    began = time.perf_counter()
    endings = await asyncio.gather(*(one() for _ in range(jobs)))
    seconds = time.perf_counter() - began
    if set(endings) != {"completed"}:
        raise RuntimeError(f"not all jobs completed: {endings.count('completed')} of {jobs}")
    return jobs / seconds


async def latencies_ms(made: Client, document: Mapping[str, Any], jobs: int) -> list[float]:
    """Return how long each of so many jobs took, one after the other, sorted."""
    submission = await prepare(read_spec(document))
    taken: list[float] = []
    for _ in range(jobs):
        began = time.perf_counter()
        await made.run(submission)
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)
