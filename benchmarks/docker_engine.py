"""A container that does nothing, through the docker engine and by a plain `docker run` loop.

Limit: 0.9 of the plain loop at the same width. Needs an engine and the image that
`.ci/docker-engine` makes. Rounds alternate, so that a drifting machine moves both.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from node.executors.docker import DockerExecutor
from node.executors.port import Limits, Task

IMAGE = "lota-test/busybox:1"
LIMIT = 0.9


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


async def main() -> None:
    """Print one line per round, then the medians and their ratio beside the limit."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=20)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--width", type=int, default=2)
    chosen = options.parse_args()
    pairs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as root:
        executor = DockerExecutor("bench", width=chosen.width)

        async def engine(number: int) -> None:
            execution = f"bench-{number}-{len(pairs)}"
            limits = Limits(memory_bytes=512 * 1024 * 1024, disk_bytes=1024**3)
            task = Task(execution, "bench", image=IMAGE, command=("true",), limits=limits)
            assert (await executor.run(task, Path(root, execution))).exit_code == 0

        for number in range(chosen.rounds):
            peer = await per_s(chosen.runs, chosen.width, plain)
            own = await per_s(chosen.runs, chosen.width, engine)
            pairs.append((own, peer))
            print(f"round {number + 1}: engine {own:.2f}/s, docker run {peer:.2f}/s")
        await executor.close()
    own, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(own / peer for own, peer in pairs)
    print(f"engine {own:.2f}/s, docker run {peer:.2f}/s, ratio {ratio:.2f} (limit {LIMIT} or more)")


if __name__ == "__main__":
    asyncio.run(main())
