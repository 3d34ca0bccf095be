"""Doing a few pieces of work at the same time, and giving what comes of them in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


async def in_order(
    items: AsyncGenerator[Item, None], work: Callable[[Item], Awaitable[Answer]], *, ahead: int
) -> AsyncGenerator[Answer, None]:
    """Give `work(item)` for each item, with up to `ahead` of them begun before they are asked for.

    The first failure is raised in its turn. When the caller gives up, what was begun is cancelled,
    and `items` is closed.
    """
    begun: deque[asyncio.Task[Answer]] = deque()
    try:
        async for item in items:
            begun.append(asyncio.create_task(_run(work, item)))
            if len(begun) > ahead:
                yield await begun.popleft()
        while begun:
            yield await begun.popleft()
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        await items.aclose()


async def _run(work: Callable[[Item], Awaitable[Answer]], item: Item) -> Answer:
    return await work(item)
