"""Work in a thread that ends when its task is cancelled, and not some time after."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class Interrupted(Exception):
    """Raised in the thread to end its work; nobody waits for its result any more."""


async def in_thread(work: Callable[[Callable[[], None]], Result]) -> Result:
    """Run `work` in a thread and return its result.

    `work` gets a function to call between steps. After a cancel that function raises, and the
    cancel goes through only when the thread has ended: nothing is written behind its back.
    """
    stopped = threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise Interrupted

    running = asyncio.get_running_loop().run_in_executor(None, work, check)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # seen, so that asyncio does not report it as lost
        raise
