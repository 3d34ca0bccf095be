"""Pasts for many at once, of a log that is archived or loses its end meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from events.errors import LogUnavailable, WrongUsage
from events.log import EVERYTHING, Base, Record
from events.memory import MemoryLog
from node.observer.keyframes import Keyframes
from node.observer.pasts import MADE_AT_ONCE, WAITING_MAX, Pasts
from projections.base import encode_base
from projections.travel import Travel, network_view
from tests.node.observer.test_keyframes import OFTEN, lived
from tests.projections.story import extend, folded, story

RECORDS = story(5)
END = len(RECORDS)
BASE = Base(120, encode_base(folded(RECORDS[:120])))


class Staged(MemoryLog):
    """A log with a story, in which something happens when it is read from next; `held` keeps who
    reads from certain positions waiting, and `left` counts those who gave up.
    """

    def __init__(self) -> None:
        super().__init__()
        extend(self, RECORDS)
        self.meanwhile: Callable[[], None] | None = None
        self.held: dict[int, asyncio.Event] = {}
        self.reading, self.given_up = asyncio.Event(), asyncio.Event()
        self.begun = self.left = 0

    async def read(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        self.begun += 1
        self.reading.set()
        if self.meanwhile is not None and tuple(filters) == (EVERYTHING,):
            happens, self.meanwhile = self.meanwhile, None
            happens()
        try:
            if after in self.held:
                await self.held[after].wait()
            async for batch in super().read(filters, after=after):
                yield batch
        except asyncio.CancelledError:
            self.left += 1
            self.given_up.set()
            raise

    def lose_end(self, end: int, then: Sequence[Record] = ()) -> None:
        """Have the log end at a position, and go on with other messages."""
        kept = [*self._records[:end], *then]
        self._records, self._index, self._ids = [], {}, {}
        extend(self, tuple(Record(at, r.subject, r.body) for at, r in enumerate(kept, 1)))


@pytest.fixture(params=["keyframes", "none"])
async def keyframes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Keyframes]:
    """The keyframes of the story, or none."""
    if request.param == "keyframes":
        await lived(MemoryLog(), RECORDS, tmp_path, Random(1))
    keyframes = await Keyframes.open(tmp_path / "keyframes.db", OFTEN)
    yield keyframes
    await keyframes.close()


def jobs_at(position: int) -> Any:
    """Return the jobs that were open then, by a plain fold."""
    travel = Travel()
    for record in RECORDS[:position]:
        travel.fold(record)
    return network_view(travel)["open"]


@pytest.mark.parametrize("position", [121, 150, END - 1])
async def test_a_log_that_is_archived_meanwhile(position: int, keyframes: Keyframes) -> None:
    """A past that is folded while the beginning goes is as one that is folded before or after."""
    log = Staged()
    log.meanwhile = lambda: log.archive(BASE)
    past = await Pasts(log, keyframes).at(position, END)
    assert past.position == position
    assert network_view(past.travel)["open"] == jobs_at(position)
    assert log.meanwhile is None


async def test_a_moment_that_is_archived_meanwhile(keyframes: Keyframes) -> None:
    """A past that goes into an archive while it is folded is refused as one that has gone."""
    log = Staged()
    log.meanwhile = lambda: log.archive(BASE)
    with pytest.raises(WrongUsage, match="before the first event"):
        await Pasts(log, keyframes).at(77, END)


async def test_a_log_that_loses_its_end_meanwhile(keyframes: Keyframes) -> None:
    """What the log has no more is never shown for a past, and not kept for one."""
    log = Staged()
    log.meanwhile = lambda: log.lose_end(80)
    pasts = Pasts(log, keyframes)
    for _ in range(2):
        with pytest.raises(LogUnavailable, match="ask again"):
            await pasts.at(END - 3, END)


async def test_a_log_that_goes_another_way_meanwhile(keyframes: Keyframes) -> None:
    """A fold of one log is not gone on with on another: it is folded anew or not at all."""
    log = Staged()
    log.meanwhile = lambda: log.lose_end(20, story(3)[20:])
    try:
        past = await Pasts(log, keyframes).at(150, END)
    except LogUnavailable:
        return
    travel = Travel()
    for record in log.records(limit=150):
        travel.fold(record)
    assert network_view(past.travel) == network_view(travel)


@pytest.fixture
async def none(tmp_path: Path) -> AsyncIterator[Keyframes]:
    """No keyframes, so that every past is read from the beginning."""
    keyframes = await Keyframes.open(tmp_path / "none.db", OFTEN)
    yield keyframes
    await keyframes.close()


async def test_a_past_waits_for_no_other(none: Keyframes) -> None:
    """While one past takes long, others are made."""
    log = Staged()
    log.held[0] = asyncio.Event()
    pasts = Pasts(log, none)
    slow = asyncio.ensure_future(pasts.at(50, END))
    await log.reading.wait()
    del log.held[0]
    assert (await asyncio.wait_for(pasts.at(60, END), 10)).position == 60
    assert not slow.done()
    slow.cancel()


async def test_who_asks_for_the_same_shares_it(none: Keyframes) -> None:
    """One past is made for all who wait for it, and whoever leaves takes it from nobody."""
    log = Staged()
    go_on = log.held[0] = asyncio.Event()
    pasts = Pasts(log, none)
    first, second = (asyncio.ensure_future(pasts.at(50, END)) for _ in range(2))
    await log.reading.wait()
    first.cancel()
    go_on.set()
    assert await second is await pasts.at(50, END)
    assert (log.begun, log.left) == (1, 0)


async def test_a_past_that_nobody_waits_for_ends(none: Keyframes) -> None:
    """When the last who waits for a past leaves, it is read no further; others have its place."""
    log = Staged()
    log.held[0] = asyncio.Event()
    pasts = Pasts(log, none)
    many = [asyncio.ensure_future(pasts.at(10 + n, END)) for n in range(MADE_AT_ONCE)]
    while log.begun < MADE_AT_ONCE:
        log.reading.clear()
        await log.reading.wait()
    next_one = asyncio.ensure_future(pasts.at(100, END))
    for one in many:
        one.cancel()
    await asyncio.wait(many)
    del log.held[0]
    assert (await asyncio.wait_for(next_one, 10)).position == 100
    assert log.left == MADE_AT_ONCE


async def test_too_many_pasts_are_refused(none: Keyframes) -> None:
    """There is an end to how many moments are asked for at once; then it is as before."""
    log = Staged()
    go_on = log.held[0] = asyncio.Event()
    pasts = Pasts(log, none)
    many = [asyncio.ensure_future(pasts.at(1 + n, END)) for n in range(WAITING_MAX)]
    await log.reading.wait()
    with pytest.raises(LogUnavailable, match="ask again"):
        await pasts.at(END - 1, END)
    go_on.set()
    assert [(await one).position for one in many] == [1 + n for n in range(WAITING_MAX)]
    assert (await pasts.at(END - 1, END)).position == END - 1
