"""Working on many things, some at a time, without a list of them all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def for_each(
    items: AsyncIterator[T], work: Callable[[T], Awaitable[None]], width: int
) -> None:
    """Do `work` on each item, `width` at a time; the first error ends the others and is raised.

    An item is taken when there is somebody to work on it, so that no list of all is held.
    """
    taking = asyncio.Lock()

    async def run() -> None:
        while True:
            async with taking:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            await work(item)

    workers = [asyncio.create_task(run()) for _ in range(width)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
