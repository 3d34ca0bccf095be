"""Reading something far away in pages, the last of which are kept."""

from collections.abc import Awaitable, Callable

PAGE_BYTES = 64 * 1024
PAGES_MAX = 128


class Pages:
    """Answers small reads, many of them near each other, by few larger ones; one page at a time.

    `page_bytes` of 0 means 64 KiB. It holds at most 128 pages.
    """

    def __init__(
        self, read: Callable[[int, int], Awaitable[bytes]], size_bytes: int, page_bytes: int = 0
    ) -> None:
        self._fetch = read
        self._size_bytes = size_bytes
        self._page_bytes = page_bytes or PAGE_BYTES
        self._pages: dict[int, bytes] = {}

    async def read(self, offset: int, size_bytes: int) -> bytes:
        """Return a range, shorter when it goes beyond the end."""
        first = offset // self._page_bytes
        end = min(offset + size_bytes, self._size_bytes)
        pages = [await self._page(page) for page in range(first, -(-end // self._page_bytes))]
        start = offset - first * self._page_bytes
        return b"".join(pages)[start : start + size_bytes]

    async def _page(self, page: int) -> bytes:
        data = self._pages.pop(page, None)
        if data is None:
            at = page * self._page_bytes
            data = await self._fetch(at, min(self._page_bytes, self._size_bytes - at))
        self._pages[page] = data  # at the end: the least used come first
        while len(self._pages) > PAGES_MAX:
            del self._pages[next(iter(self._pages))]
        return data
