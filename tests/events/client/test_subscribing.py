"""What a subscriber may ask for, and the errors that each wrong question gets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from events.client.subscribing import first_position
from events.clock import now_ms
from events.connection import connect
from events.errors import WrongUsage
from events.jetstream import History, open_log
from events.jetstream.api import call
from events.jetstream.stream import FIXED, STREAM
from node.server import EmbeddedServer

HOUR_MS = 3_600_000


@asynccontextmanager
async def stored(folder: Path, count: int, **config: Any) -> AsyncIterator[History]:
    """Give a log of so many messages, whose stream is configured so."""
    async with EmbeddedServer(folder) as server:
        client = await connect(server.url, name="test")
        if config:
            request = {**FIXED, "name": STREAM, **config}
            await call(client, f"STREAM.CREATE.{STREAM}", request, dict[str, Any])
        log = await open_log(client)
        for number in range(count):
            await log.append("lota.ev.00.j.c.n.a.b", b"{}", id=str(number))
        history = History(client)
        yield history
        await history.close()
        await log.close()
        await client.close()


async def test_a_point_in_the_log(tmp_path: Path) -> None:
    """A position is itself, also the next one; how long ago is what was stored since."""
    async with stored(tmp_path, 3) as history:
        began = await history.time_of(1)
        points: dict[int | str, int] = {1: 1, "3": 3, 4: 4, "1h": 1, "2d ago": 1, began: 1}
        for since, position in points.items():
            assert await first_position(history, since, now_ms()) == position
        assert await first_position(history, "1h", now_ms() + 2 * HOUR_MS) == 4


@pytest.mark.parametrize(
    ("since", "what"),
    [
        (0, "there is no position 0"),
        (-1, "no point in the log"),
        ("soon", "no point in the log"),
        (5, "position 5 is beyond the end of the log"),
        ("2020-01-01", "is before the first event of the log"),
        ("2999-01-01T00:00:00Z", "is a time to come"),
    ],
)
async def test_a_point_that_is_none(tmp_path: Path, since: int | str, what: str) -> None:
    """What the log does not reach, and what lies before it, get an error each, with a hint."""
    async with stored(tmp_path, 3) as history:
        with pytest.raises(WrongUsage, match=what) as caught:
            await first_position(history, since, now_ms())

    assert caught.value.hint


async def test_an_empty_log(tmp_path: Path) -> None:
    """Its next event is the first, whenever one began to look, and there is nothing behind it."""
    async with stored(tmp_path, 0) as history:
        for since in (1, "1h", "2020-01-01"):
            assert await first_position(history, since, now_ms()) == 1
        with pytest.raises(WrongUsage, match="beyond"):
            await first_position(history, 2, now_ms())


@pytest.mark.parametrize("since", [3, "1h", "2020-01-01"])
async def test_a_log_whose_beginning_is_archived(tmp_path: Path, since: int | str) -> None:
    """What is not there any more is told of, not left out in silence."""
    async with stored(tmp_path, 3, first_seq=500) as history:
        assert await first_position(history, 501, now_ms()) == 501
        with pytest.raises(WrongUsage, match="before the first event") as caught:
            await first_position(history, since, now_ms())

    assert "position 500; what was before is archived" in caught.value.hint
