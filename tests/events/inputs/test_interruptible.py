"""Threads that end with their task."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from events.inputs.interruptible import in_thread


async def test_result() -> None:
    """The result or the error of the work is that of the call."""
    assert await in_thread(lambda check: 7) == 7

    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda check: 1 // 0)


async def test_cancel_waits_for_the_thread() -> None:
    """A cancel ends the work at its next step, and returns when the thread has ended."""
    loop = asyncio.get_running_loop()
    begun, ended = asyncio.Event(), threading.Event()

    def work(check: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(begun.set)
        try:
            while True:
                check()
        finally:
            ended.set()

    task = asyncio.create_task(in_thread(work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended.is_set()
