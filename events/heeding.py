"""Awaiting an answer without losing a cancellation.

`asyncio.wait_for` of Python 3.11 loses one that comes together with the answer, and requests of
nats-py end in it: a time limit or Ctrl-C at that moment would be lost, and what follows for ever
would not end.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def heeding(answer: Awaitable[T]) -> T:
    """Return the answer, or raise CancelledError if this task was cancelled while it waited."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    try:
        return await answer
    finally:
        if task.cancelling() > before:
            raise asyncio.CancelledError
