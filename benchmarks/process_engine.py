"""/bin/true through the process engine, beside `xargs -P2 -n1 /bin/true` in the same run.

Limit: 0.85 of xargs at width 2. Rounds alternate, so that a drifting machine moves both.
"""

import asyncio
import itertools
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.figures import Figure, Limit, Peer
from node.executors.port import Limits, Task
from node.executors.process import ProcessExecutor

RUNS = 1_000
ROUNDS = 5
WIDTH = 2
IDS = itertools.count()
LIMITS = Limits(disk_bytes=1024**3)
"""Without a memory limit, as a job has it by default: one costs a small parent per command."""


def xargs_per_s(runs: int, width: int) -> float:
    """Return runs per second of xargs itself."""
    lines = b"\n".join(b"%d" % number for number in range(runs))
    start = time.perf_counter()
    subprocess.run(["xargs", f"-P{width}", "-n1", "/bin/true"], input=lines, check=True)
    return runs / (time.perf_counter() - start)


async def engine_per_s(executor: ProcessExecutor, folder: Path, runs: int, width: int) -> float:
    """Return runs per second through `run`, with this many under way at a time."""
    numbers = iter(range(runs))

    async def worker() -> None:
        for number in numbers:
            execution = f"bench-{next(IDS)}"
            task = Task(
                execution,
                "bench",
                shard=number,
                shards=runs,
                command=("/bin/true",),
                limits=LIMITS,
                timeout_s=30.0,
            )
            outcome = await executor.run(task, folder / execution)
            assert outcome.exit_code == 0

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(width)))
    return runs / (time.perf_counter() - start)


async def measure() -> AsyncIterator[Figure]:
    """Yield the engine's rate beside xargs, which went in turn."""
    pairs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        executor = ProcessExecutor(Path(folder, "process"))
        for _ in range(ROUNDS):
            peer = await asyncio.to_thread(xargs_per_s, RUNS, WIDTH)
            own = await engine_per_s(executor, Path(folder), RUNS, WIDTH)
            pairs.append((own, peer))
        await executor.close()
    own, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    yield Figure(
        what="/bin/true by the process engine alone",
        value=own,
        unit="runs/s",
        peer=Peer(
            name=f"xargs -P{WIDTH}",
            value=peer,
            ratio=statistics.median(own / peer for own, peer in pairs),
            limit=Limit(0.85),
        ),
    )
