"""Pulling a blocking iterator from a thread: in order, bounded, and closed whatever happens."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from publishers.pipeline import in_order
from publishers.threads import AHEAD, in_thread


class Source:
    """An iterator that notes how far it was pulled, by which thread, and that it was closed."""

    def __init__(self, count: int, *, fails: bool = False) -> None:
        self._count = count
        self._fails = fails
        self.pulled = 0
        self.closed = False
        self.threads: set[int] = set()

    def items(self) -> Iterator[int]:
        try:
            for index in range(self._count):
                self.pulled += 1
                self.threads.add(threading.get_ident())
                yield index
            if self._fails:
                raise ValueError("the disk")
        finally:
            self.closed = True


@pytest.mark.parametrize("count", [0, 1, AHEAD - 1, AHEAD, AHEAD + 1, 100])
async def test_all_items_come_in_order(count: int) -> None:
    """Whatever their number, all items come once, from another thread, and the source closes."""
    source = Source(count)
    assert [item async for item in in_thread(source.items())] == list(range(count))
    assert source.closed
    assert threading.get_ident() not in source.threads


async def test_no_more_is_held_than_is_said() -> None:
    """A caller that stops leaves at most twice the bound behind, and the source closed."""
    source = Source(1000)
    items = in_thread(source.items())
    await anext(items)
    await items.aclose()
    assert source.pulled <= 2 * AHEAD
    assert source.closed


@pytest.mark.parametrize("count", [0, 1, AHEAD, AHEAD + 1])
async def test_an_error_comes_behind_the_items_before_it(count: int) -> None:
    """What was read before the disk failed is given, and then the failure."""
    source = Source(count, fails=True)
    items = in_thread(source.items())
    assert [await anext(items) for _ in range(count)] == list(range(count))
    with pytest.raises(ValueError, match="the disk"):
        await anext(items)
    assert source.closed


async def test_a_cancelled_caller_leaves_no_thread_in_the_source() -> None:
    """Cancelling waits for the pull under way and closes the source."""
    pulling, go_on = threading.Event(), threading.Event()
    source = Source(3)

    def slow() -> Iterator[int]:
        pulling.set()
        go_on.wait(10)
        yield from source.items()

    async def take() -> None:
        async for _ in in_thread(slow()):
            pass

    task = asyncio.create_task(take())
    await asyncio.to_thread(pulling.wait, 10)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed


async def test_many_at_once_need_no_thread_each() -> None:
    """More streams than there are threads make progress together."""
    streams = [in_thread(Source(3 * AHEAD).items()) for _ in range(100)]
    firsts = await asyncio.gather(*(anext(stream) for stream in streams))
    assert firsts == [0] * 100
    for stream in streams:
        await stream.aclose()


async def test_answers_come_in_the_order_of_the_questions() -> None:
    """Work that ends in another order than it began is given in order."""
    first = asyncio.Event()

    async def work(item: int) -> int:
        if item == 0:
            await first.wait()
        elif item == 2:
            first.set()
        return item

    answers = in_order(in_thread(iter(range(5))), work, ahead=3)
    assert [answer async for answer in answers] == [0, 1, 2, 3, 4]
