"""A container that does nothing, through the docker engine and by a plain `docker run` loop.

Limit: 0.9 of the plain loop at the same width. Needs an engine and the image that
`.ci/docker-engine` makes. Rounds alternate, so that a drifting machine moves both.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from benchmarks.figures import Figure, Limit, Peer, Unavailable
from events.errors import ExecutorError
from node.executors.docker import DockerExecutor
from node.executors.port import Limits, Task

IMAGE = "lota-test/busybox:1"
RUNS = 20
ROUNDS = 3
WIDTH = 2


async def per_s(runs: int, width: int, once: Callable[[int], Awaitable[None]]) -> float:
    """Return how many times `once` ended per second, with `width` of them under way."""
    numbers = iter(range(runs))

    async def worker() -> None:
        for number in numbers:
            await once(number)

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(width)))
    return runs / (time.perf_counter() - start)


async def plain(_number: int) -> None:
    """Run one container by the command line, as people do."""
    command = ("docker", "run", "--rm", "--network", "none", IMAGE, "true")
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0


async def measure() -> AsyncIterator[Figure]:
    """Yield the engine's rate beside the plain loop, which went in turn."""
    pairs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as root:
        executor = DockerExecutor("bench", width=WIDTH)

        async def engine(number: int) -> None:
            execution = f"bench-{number}-{len(pairs)}"
            limits = Limits(memory_bytes=512 * 1024 * 1024, disk_bytes=1024**3)
            task = Task(execution, "bench", image=IMAGE, command=("true",), limits=limits)
            assert (await executor.run(task, Path(root, execution))).exit_code == 0

        try:
            await executor.check()
            for _ in range(ROUNDS):
                peer = await per_s(RUNS, WIDTH, plain)
                pairs.append((await per_s(RUNS, WIDTH, engine), peer))
        except ExecutorError as error:
            raise Unavailable(str(error)) from error
        finally:
            await executor.close()
    own, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    yield Figure(
        what="a container that does nothing",
        value=own,
        unit="runs/s",
        peer=Peer(
            name="docker run",
            value=peer,
            ratio=statistics.median(own / peer for own, peer in pairs),
            limit=Limit(0.9),
        ),
    )
