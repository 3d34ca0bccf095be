"""Walking the trees of several shards side by side: what becomes of a walk that fails."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

import pytest

from events.errors import PublishError
from node.results.job_results import ShardResult
from node.results.merging import merged
from publishers.reading import Entry


class Walks:
    """Walks of which one waits for what never comes; `closed` counts those that have ended."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.closed = 0

    async def endless(self) -> AsyncGenerator[Entry, None]:
        """Wait for a block that nobody gives."""
        try:
            self.waiting.set()
            await asyncio.Event().wait()
            yield Entry("a", "file", 1, "")
        finally:
            self.closed += 1

    async def broken(self) -> AsyncGenerator[Entry, None]:
        """Fail while the other one waits."""
        await self.waiting.wait()
        raise PublishError("no-copy", "nobody has it")
        yield

    async def merge(self, shard: ShardResult, *walks: AsyncGenerator[Entry, None]) -> None:
        """Merge them, and close them whatever comes of it."""
        async with AsyncExitStack() as stack:
            for walk in walks:
                await stack.enter_async_context(aclosing(walk))
            side_by_side = merged([(shard, walk) for walk in walks])
            async for _ in await stack.enter_async_context(aclosing(side_by_side)):
                pass


@pytest.fixture
def shard() -> ShardResult:
    """A shard that is never read: the walks say what is in it."""
    return ShardResult.__new__(ShardResult)


async def test_the_first_failure_is_told_and_ends_the_others(shard: ShardResult) -> None:
    """A shard that nobody gives ends the merge with its own error, and no walk is left behind."""
    walks = Walks()
    with pytest.raises(PublishError, match="nobody has it"):
        await walks.merge(shard, walks.endless(), walks.broken(), walks.endless())
    assert walks.closed == 2


async def test_an_interrupt_ends_all_walks(shard: ShardResult) -> None:
    """Ctrl-C in the middle of a merge is an interrupt and nothing else."""
    walks = Walks()
    merging = asyncio.ensure_future(walks.merge(shard, walks.endless(), walks.endless()))
    await walks.waiting.wait()
    merging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await merging
    assert walks.closed == 2
