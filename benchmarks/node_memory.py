"""Writing down what executions came to: commits that reach the disk, shared by those who wait.

As many executions as are named end at a time; each waits for its own save.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.figures import Figure, Limit
from events.items import Claim
from node.compute.memory import NodeMemory
from node.compute.memory_rows import Batch, ExecutionRow
from publishers.port import SmallResult

EXECUTIONS = 20_000
ALONE = 500
LIMIT_PER_S = 10_000.0
CLAIM = Claim("bafybeifx7yeb55armcsxwwitkymga5xf53dxiarykms3ygqic223w5sk3m", 250, 0)
RESULT = SmallResult(b"x" * 80, b"", 0)


async def per_s(memory: NodeMemory, executions: int, together: int) -> float:
    """Return saves per second, with this many under way at a time."""
    numbers = iter(range(executions))

    async def work() -> None:
        for number in numbers:
            name = f"j{together}-{number}-0"
            row = ExecutionRow.of(name, f"j{together}", CLAIM, RESULT, number)
            await memory.save(Batch(executions=[row]))

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(together)))
    return executions / (time.perf_counter() - began)


async def measure() -> AsyncIterator[Figure]:
    """Yield the rate of one at a time, and of groups."""
    with tempfile.TemporaryDirectory() as scratch:
        memory = await NodeMemory.open(Path(scratch) / "memory.db")
        try:
            for together in (1, 32, 256, 1_000):
                executions = ALONE if together == 1 else EXECUTIONS
                yield Figure(
                    what=f"executions written down, {together:,} at a time",
                    value=await per_s(memory, executions, together),
                    unit="executions/s",
                    limit=Limit(LIMIT_PER_S) if together >= 256 else None,
                )
        finally:
            await memory.close()
