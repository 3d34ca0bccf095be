"""Folds of the log as of past positions."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from events.errors import WrongUsage
from events.log import Readable, Record
from node.observer.past import Past
from projections.base import begin
from projections.travel import Travel

KEPT_MAX = 4
FOLDED_AT_ONCE = 250
"""Events that are folded before others get a turn of the loop: some milliseconds."""


class Pasts:
    """Makes one past at a time, and keeps the last few."""

    def __init__(self, log: Readable) -> None:
        self._log = log
        self._kept: OrderedDict[int, Past] = OrderedDict()
        self._one = asyncio.Lock()

    async def at(self, position: int, last: int) -> Past:
        """Return the network as of a position of a log that ends at `last`."""
        async with self._one:
            past = self._kept.get(position)
            if past is None:
                past = await self._make(position, last)
            self._kept[position] = past
            self._kept.move_to_end(position)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
            return past

    async def _make(self, position: int, last: int) -> Past:
        if position > last:
            raise WrongUsage(
                f"position {position} is beyond what is folded of the log",
                hint=f"its last position is {last}",
            )
        travel = Travel(begin(await self._log.base()))
        if position < travel.network.position:
            raise WrongUsage(
                f"position {position} is before the first event of the log",
                hint=f"it begins at position {travel.network.position + 1};"
                " what was before is in an archive (lota replay --from FILE)",
            )
        await self._fold(travel, position)
        return Past(travel)

    async def _fold(self, travel: Travel, position: int) -> None:
        after = travel.network.position
        batches = cast("AsyncGenerator[list[Record], None]", self._log.read(after=after))
        async with aclosing(batches):
            async for records in batches:
                for start in range(0, len(records), FOLDED_AT_ONCE):
                    for record in records[start : start + FOLDED_AT_ONCE]:
                        if record.position > position:
                            return
                        travel.fold(record)
                    await asyncio.sleep(0)
                if records[-1].position >= position:
                    return
