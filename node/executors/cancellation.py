"""Finishing what has begun: a kill or a move that stopped half-way would have to be found again."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


async def uncancelled(work: Coroutine[Any, Any, _T]) -> _T:
    """Await `work` to its end however often the caller is cancelled; then let that through."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()
