"""Finishing a kill that has begun."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any


async def uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Await to the end however often the caller is cancelled: a kill must not stop half-way."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
