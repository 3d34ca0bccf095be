"""Turns of the event loop: counted, to see whether what takes long lets it go on, and taken."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """How often the loop has turned since `begin`."""

    def __init__(self) -> None:
        self.count = -1

    def begin(self) -> None:
        """Count this turn's successors."""
        self.count += 1
        self._next = asyncio.get_running_loop().call_soon(self.begin)

    def end(self) -> None:
        """Count no more."""
        self._next.cancel()


@contextmanager
def counted_turns() -> Iterator[Turns]:
    """Count the loop's turns for the time of a block."""
    turns = Turns()
    turns.begin()
    try:
        yield turns
    finally:
        turns.end()


async def turns_of_the_loop(count: int) -> None:
    """Let the loop turn so often."""
    for _ in range(count):
        turned = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turned.set_result, None)
        await turned
