"""/bin/true through the process engine, beside `xargs -P2 -n1 /bin/true` in the same run.

Limit: 0.85 of xargs at width 2. Rounds alternate, so that a drifting machine moves both.
"""

import argparse
import asyncio
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from node.executors.port import Limits, Task
from node.executors.process import ProcessExecutor

LIMIT = 0.85
LIMITS = Limits(memory_bytes=512 * 1024 * 1024, disk_bytes=1024**3)


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
            execution = f"bench-{number}-1"
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


async def main() -> None:
    """Print one line per round, then the medians and their ratio beside the limit."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--width", type=int, default=2)
    chosen = options.parse_args()
    pairs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        executor = ProcessExecutor(Path(folder, "process"))
        for number in range(chosen.rounds):
            peer = await asyncio.to_thread(xargs_per_s, chosen.runs, chosen.width)
            own = await engine_per_s(executor, Path(folder), chosen.runs, chosen.width)
            pairs.append((own, peer))
            print(f"round {number + 1}: engine {own:,.0f}/s, xargs {peer:,.0f}/s")
        await executor.close()
    own, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(own / peer for own, peer in pairs)
    print(f"engine {own:,.0f}/s, xargs {peer:,.0f}/s, ratio {ratio:.2f} (limit {LIMIT} or more)")


if __name__ == "__main__":
    asyncio.run(main())
