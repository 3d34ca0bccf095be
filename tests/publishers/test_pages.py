"""Few large reads for many small ones: the right bytes, each page asked for once."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishers.pages import PAGES_MAX, Pages

DATA = bytes(range(256)) * 10


class Far:
    """Something far away, which may fail, and answers when it is let."""

    def __init__(self, *, fails: int = 0) -> None:
        self.asked: list[tuple[int, int]] = []
        self.fails = fails
        self.answers = asyncio.Event()
        self.answers.set()

    async def read(self, offset: int, size_bytes: int) -> bytes:
        self.asked.append((offset, size_bytes))
        await self.answers.wait()
        if self.fails:
            self.fails -= 1
            raise OSError("the line is cut")
        return DATA[offset : offset + size_bytes]


@given(st.integers(0, len(DATA) + 10), st.integers(0, 700), st.integers(1, 300))
def test_a_range_is_what_lies_there(offset: int, size_bytes: int, page_bytes: int) -> None:
    """Any range has its bytes, cut at the end, wherever the pages begin."""

    async def read() -> bytes:
        return await Pages(Far().read, len(DATA), page_bytes).read(offset, size_bytes)

    assert asyncio.run(read()) == DATA[offset : offset + size_bytes]


async def test_who_wants_a_page_on_its_way_waits_for_it() -> None:
    """Ten readers of one page are one read, and a later one is none."""
    far = Far()
    far.answers.clear()
    pages = Pages(far.read, len(DATA), 256)
    readers = [asyncio.create_task(pages.read(index, 1)) for index in range(10)]
    asyncio.get_running_loop().call_soon(far.answers.set)
    assert await asyncio.gather(*readers) == [DATA[index : index + 1] for index in range(10)]
    await pages.read(255, 1)
    assert far.asked == [(0, 256)]


async def test_a_page_that_failed_is_asked_for_again() -> None:
    """A failure is told to who waits for it, and not kept."""
    far = Far(fails=1)
    pages = Pages(far.read, len(DATA), 256)
    with pytest.raises(OSError, match="the line is cut"):
        await pages.read(0, 1)
    assert await pages.read(0, 1) == DATA[:1]


async def test_a_reader_that_gives_up_takes_the_page_from_nobody() -> None:
    """Cancelling one of two readers leaves the other its bytes."""
    far = Far()
    far.answers.clear()
    pages = Pages(far.read, len(DATA), 256)
    first = asyncio.create_task(pages.read(0, 2))
    second = asyncio.create_task(pages.read(0, 2))
    asyncio.get_running_loop().call_soon(first.cancel)
    asyncio.get_running_loop().call_soon(far.answers.set)
    assert await second == DATA[:2]
    assert first.cancelled()


async def test_only_the_last_pages_are_kept() -> None:
    """Reading on and on forgets the pages that were used longest ago."""
    far = Far()
    pages = Pages(far.read, len(DATA), 1)
    for offset in range(PAGES_MAX + 1):
        await pages.read(offset, 1)
    far.asked.clear()
    await pages.read(PAGES_MAX, 1)
    assert far.asked == []
    await pages.read(0, 1)
    assert far.asked == [(0, 1)]
