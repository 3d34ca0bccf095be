"""Reading something far away in pages, the last of which are kept."""

import asyncio
from collections.abc import Awaitable, Callable

PAGE_BYTES = 64 * 1024
PAGES_MAX = 512
"""Enough for the index of a tree of half a million nodes, which is read all over."""


class Pages:
    """Answers small reads, many of them near each other, by few larger ones.

    `page_bytes` of 0 means 64 KiB. It holds at most 512 pages. Who wants a page that is on its way
    waits for it, and does not ask again.
    """

    def __init__(
        self, read: Callable[[int, int], Awaitable[bytes]], size_bytes: int, page_bytes: int = 0
    ) -> None:
        self._fetch = read
        self._size_bytes = size_bytes
        self._page_bytes = page_bytes or PAGE_BYTES
        self._pages: dict[int, asyncio.Task[bytes]] = {}

    async def read(self, offset: int, size_bytes: int) -> bytes:
        """Return a range, shorter when it goes beyond the end; raises what `read` raises."""
        first = offset // self._page_bytes
        end = min(offset + size_bytes, self._size_bytes)
        pages = [await self._page(page) for page in range(first, -(-end // self._page_bytes))]
        start = offset - first * self._page_bytes
        return b"".join(pages)[start : start + size_bytes]

    async def _page(self, page: int) -> bytes:
        fetching = self._pages.pop(page, None)
        if fetching is None or _failed(fetching):
            fetching = asyncio.create_task(self._fetched(page))
            fetching.add_done_callback(_failed)  # nobody may be left to be told
        self._pages[page] = fetching  # at the end: the least used come first
        while len(self._pages) > PAGES_MAX:
            del self._pages[next(iter(self._pages))]
        return await asyncio.shield(fetching)

    async def _fetched(self, page: int) -> bytes:
        at = page * self._page_bytes
        return await self._fetch(at, min(self._page_bytes, self._size_bytes - at))


def _failed(fetching: asyncio.Task[bytes]) -> bool:
    return fetching.done() and (fetching.cancelled() or fetching.exception() is not None)
