"""Pulling a blocking iterator from a thread, so that the event loop never waits for a disk."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")

AHEAD = 4


async def in_thread(iterator: Iterator[Item], *, ahead: int = AHEAD) -> AsyncGenerator[Item, None]:
    """Give the items of a blocking iterator, pulled in a thread while the caller uses the last.

    At most twice `ahead` items are held. No thread waits for the caller, so that any number of
    these can run at once. The iterator's own close, if it has one, runs when this one ends, also
    when the caller gives up: use `contextlib.aclosing` where that must be soon. What the iterator
    raises is raised behind the items before it.
    """
    pulling = asyncio.ensure_future(asyncio.to_thread(_pull, iterator, ahead))
    try:
        while True:
            items, error = await asyncio.shield(pulling)
            if len(items) == ahead:
                pulling = asyncio.ensure_future(asyncio.to_thread(_pull, iterator, ahead))
            for item in items:
                yield item
            if error is not None:
                raise error
            if len(items) < ahead:
                return
    finally:
        try:
            await _settled(pulling)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                await asyncio.to_thread(close)


async def _settled(pulling: asyncio.Future[tuple[list[Item], Exception | None]]) -> None:
    """Wait until no thread is in the iterator, also when the caller is being cancelled."""
    cancelled: asyncio.CancelledError | None = None
    while not pulling.done():
        try:
            await asyncio.wait([pulling])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _pull(iterator: Iterator[Item], count: int) -> tuple[list[Item], Exception | None]:
    items: list[Item] = []
    try:
        for item in islice(iterator, count):
            items.append(item)  # noqa: PERF402  (what came before an error is kept)
    except Exception as error:  # noqa: BLE001  (raised where the items before it were taken)
        return items, error
    return items, None
