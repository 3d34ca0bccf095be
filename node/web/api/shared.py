"""What the handlers of the API share, and how they find the point of the log that is asked for."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from events.client.points import read_point
from events.clock import now_ms
from events.errors import NotFound, ReadOnlyLog
from events.times import parse_ms, rfc3339
from node.observer.observer import Observer
from node.observer.past import Past
from node.web.api.gateway import Gateway
from node.web.api.hub import Hub
from node.web.leaving import unless_gone

READS_AT_ONCE = 2
"""Reads of the log for those who ask, and as many for those who follow from far behind. A page has
some 4 MiB on its way, a long read up to 16, and what one that has ended left there comes as well. A
server ends a connection on which more than 64 MiB wait."""

T = TypeVar("T")


@dataclass(frozen=True)
class Api:
    """What all handlers share.

    `gateway` leads to the network, None where there is a log and nothing else. `events` and
    `changes` tell those who follow. `reads` is held while a page of the log is read, and
    `following_reads` while one is for a client that follows. `large` is held while a document of
    many megabytes is made: by one at a time, since each takes memory and a processor. So is
    `exports` while a job is written as a file, for which others are waited for.
    """

    observer: Observer
    gateway: Gateway | None = None
    events: Hub = field(default_factory=Hub)
    changes: Hub = field(default_factory=Hub)
    reads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READS_AT_ONCE))
    following_reads: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(READS_AT_ONCE)
    )
    large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    exports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @property
    def network(self) -> Gateway:
        """The way to the network. Raises ReadOnlyLog where there is none."""
        if self.gateway is None:
            raise ReadOnlyLog(
                "this is a log without its network, to look at", hint="ask where the network runs"
            )
        return self.gateway

    async def past(self, as_of: str) -> Past:
        """Return the network as it was at a point, or as it is.

        Raises NotFound for a point that is not there, ClientDisconnect when nobody waits any more.
        """
        if not as_of:
            return await self.observer.at(None)
        return await unless_gone(self.observer.at(await self.position(as_of)))

    async def read(self, page: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return a page of the log, a few at a time; raises ClientDisconnect as `past` does."""

        async def reading() -> T:
            async with self.reads:
                return await page()

        return await unless_gone(reading())

    async def position(self, as_of: str) -> int:
        """Return the position that a point names: the last one stored by then.

        Raises NotFound for one that is not there.
        """
        point = read_point(as_of, now_ms())
        last = self.observer.position
        if isinstance(point, str):
            found = min(await self.observer.position_at(parse_ms(point)), last)
            if not found:
                raise NotFound(
                    f"the log has nothing of {point} or before", hint="choose a later time"
                )
            return found
        if point > last:
            raise NotFound(f"the log has no position {point} yet", hint=f"its last is {last}")
        return point


def when(past: Past) -> dict[str, Any]:
    """Return as of which position and time a document is."""
    return {"position": past.position, "time": rfc3339(past.time_ms) if past.time_ms else None}
