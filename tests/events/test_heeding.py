"""A cancellation is heeded, whatever comes together with it."""

import asyncio

import pytest

from events.heeding import heeding


@pytest.mark.parametrize("error", [None, OSError("no answer")])
async def test_a_cancellation_that_comes_with_the_answer_is_heeded(error: OSError | None) -> None:
    """Python 3.11 would return the answer, or raise its error, and forget the cancellation."""
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def ask() -> int:
        begun.set()
        return await heeding(asyncio.wait_for(answer, 60))

    asking = asyncio.ensure_future(ask())
    await begun.wait()
    if error is None:
        answer.set_result(1)
    else:
        answer.set_exception(error)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_who_was_cancelled_before_may_still_ask() -> None:
    """Clearing up after a cancellation asks as well, and gets its answer."""
    asked = asyncio.Event()
    got: list[int] = []

    async def work() -> None:
        try:
            asked.set()
            await asyncio.Event().wait()
        finally:
            got.append(await heeding(asyncio.wait_for(_one(), 60)))

    working = asyncio.ensure_future(work())
    await asked.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert got == [1]


async def _one() -> int:
    return 1
