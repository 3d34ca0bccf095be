"""A log that nothing comes to, such as an export, to be followed like any other."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from events.log import EVERYTHING, Base, Readable, Record


class StandingLog:
    """See `events.log.Followed`: who follows it waits at its end, until cancelled."""

    def __init__(self, log: Readable) -> None:
        self._log = log

    async def base(self) -> Base | None:
        return await self._log.base()

    def read(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        return self._log.read(filters, after=after)

    async def last(self, filter: str = EVERYTHING) -> int:
        return await self._log.last(filter)

    async def follow(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        async for batch in self._log.read(filters, after=after):
            yield batch
        await asyncio.Event().wait()

    async def close(self) -> None:
        await self._log.close()
