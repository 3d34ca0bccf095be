"""Requests in turn: so many in so many seconds."""

import asyncio
import time
from itertools import count

import pytest

from publishers.rate_limit import RateLimit, shared_limit


async def test_no_window_holds_more_than_the_limit() -> None:
    """Among all who share a limit, a request begins only when the window has room for it."""
    limit = RateLimit(5, 0.05)
    begun: list[float] = []

    async def request() -> None:
        await limit.turn()
        begun.append(time.monotonic())

    await asyncio.gather(*(request() for _ in range(18)))
    begun.sort()
    spans = [later - earlier for earlier, later in zip(begun, begun[5:], strict=False)]
    assert min(spans) > 0.05 * 0.9
    assert begun[4] - begun[0] < begun[5] - begun[0]


async def test_those_within_the_limit_do_not_wait() -> None:
    """The first requests begin at once, in the order in which they came."""
    limit = RateLimit(3, 3600.0)
    order = count()
    assert await asyncio.gather(*(_numbered(limit, order) for _ in range(3))) == [0, 1, 2]


async def test_one_who_gives_up_leaves_the_others_alone() -> None:
    """A request that is cancelled while it waits does not let another begin too early."""
    limit = RateLimit(1, 0.02)
    started = time.monotonic()
    await limit.turn()
    waiting = asyncio.create_task(limit.turn())
    following = asyncio.create_task(limit.turn())
    await asyncio.wait([waiting], timeout=0.001)
    waiting.cancel()
    await following
    assert time.monotonic() - started >= 0.02
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_a_token_has_one_limit_in_the_process() -> None:
    """Whoever uses a token at a service shares its limit, and nobody else does."""
    limit = shared_limit("https://host", "token", 30, 10.0)
    assert shared_limit("https://host", "token", 30, 10.0) is limit
    assert shared_limit("https://host", "other", 30, 10.0) is not limit
    assert shared_limit("https://elsewhere", "token", 30, 10.0) is not limit


async def _numbered(limit: RateLimit, order: "count[int]") -> int:
    await limit.turn()
    return next(order)
