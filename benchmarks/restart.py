"""Starts on a log of a million events: from a snapshot, and from nothing.

The log is `long_log`'s. A start is timed from the outside, interpreter and imports included, until
the node has joined. After a crash it folds the most that it ever has to: what came since the last
snapshot was due.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Figure, Limit
from benchmarks.long_log import CROWD, LARGE_SHARDS, Told, long_log, store
from benchmarks.long_log_child import COMPUTE
from events.connection import connect
from events.jetstream import open_log
from node.compute.memory import NodeMemory
from node.compute.memory_rows import Batch, JobRow
from node.server import EmbeddedServer
from node.state import StateFolder
from projections.kept_fold import EVERY

EVENTS = 1_000_000
BEHIND = EVERY - 1_000
IN_HAND = 200
"""Jobs of the crowd that the compute node has bid for, besides the oldest and the large one."""
READY = Limit(2.0, at_most=True)
BUILT = Limit(30.0, at_most=True)
MEMORY_MB = Limit(300.0, at_most=True)
MB = 1e6


class Child(NamedTuple):
    """What a child was seen to take."""

    seconds: float
    peak_mb: float


async def run(what: str, url: str, path: Path, *, last: str = "die") -> Child:
    """Run a child until it says that it is done or ready, and end it by a last word."""
    began = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.long_log_child", what, url, str(path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    line = await child.stdout.readline()
    seconds = time.perf_counter() - began
    if not line:
        raise RuntimeError(f"{what} ended before it was ready")
    child.stdin.write(f"{last}\n".encode())
    child.stdin.close()
    await child.wait()
    return Child(seconds, json.loads(line)["peak_bytes"] / MB)


def noting(told: Iterable[Told], jobs: list[str]) -> Iterator[Told]:
    """Pass events on, and note the jobs as they are submitted."""
    for role, event in told:
        if role == "g":
            jobs.append(event.subject)
        yield role, event


async def remember(folder: Path, jobs: list[str]) -> None:
    """Have the compute node know the jobs that it has in hand."""
    state = StateFolder(folder / COMPUTE)
    with state:
        memory = await NodeMemory.open(state.memory)
        await memory.save(Batch(jobs=[JobRow(name, at) for at, name in enumerate(jobs)]))
        await memory.confirm_recall()
        await memory.close()


async def measure() -> AsyncIterator[Figure]:
    """Yield seconds and memory of read models built from nothing, and of nodes that start."""
    with tempfile.TemporaryDirectory(prefix="lota-bench-") as name:
        nodes = Path(name) / "nodes"
        requester, models = nodes / "requester", nodes / "requester" / "projections.db"
        jobs: list[str] = []
        async with EmbeddedServer(Path(name) / "nats") as server:
            client = await connect(server.url, name="bench")
            await (await open_log(client)).close()
            assert await store(client, noting(long_log(EVENTS), jobs)) == EVENTS
            await remember(nodes, [jobs[0], *jobs[-1 - CROWD :][: IN_HAND + 1]])
            requester.mkdir()
            built = await run("rebuild", server.url, models)
            yield _seconds(f"all read models from nothing, {EVENTS:,} events", built, BUILT)
            yield _memory(f"fold and rows of {EVENTS:,} events", built)
            await store(client, islice(long_log(EVENTS, crowd=0, large=0), BEHIND))
            killed = await run("requester", server.url, nodes, last="stop")
            yield _seconds(f"start of a requester, killed {BEHIND:,} events ago", killed)
            yield _memory(f"requester with {CROWD:,} jobs and {LARGE_SHARDS:,} shards open", killed)
            stopped = await run("requester", server.url, nodes)
            yield _seconds("start of a requester, stopped in good order", stopped)
            # Last: while it is a member, a requester that starts has decisions to make.
            compute = await run("compute", server.url, nodes)
            yield _seconds(f"start of a compute node with {IN_HAND + 2} jobs in hand", compute)
            await client.close()


def _seconds(what: str, child: Child, limit: Limit = READY) -> Figure:
    return Figure(what=what, value=child.seconds, unit="s", limit=limit)


def _memory(what: str, child: Child) -> Figure:
    return Figure(what=f"memory: {what}", value=child.peak_mb, unit="MB", limit=MEMORY_MB)
