"""A bound, in bytes, on what is under way on a connection that others use, too."""

import asyncio


class Window:
    """Lets `size_bytes` be under way at a time; whoever has waited longest goes first."""

    def __init__(self, size_bytes: int) -> None:
        self._free_bytes = self._size_bytes = size_bytes
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    async def take(self, size_bytes: int) -> None:
        """Wait until so much more may be under way; what is larger than the window goes alone."""
        async with self._turn:
            while self._free_bytes < min(size_bytes, self._size_bytes):
                self._freed.clear()
                await self._freed.wait()
            self._free_bytes -= size_bytes

    def give(self, size_bytes: int) -> None:
        """Note that so much has arrived, or will not."""
        self._free_bytes += size_bytes
        self._freed.set()
