"""Folds of the log as of past positions."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from events.errors import DatabaseUnusable, WrongUsage
from events.log import Base, Readable, Record
from events.recognition import look_up
from node.observer.keyframes import Found, Keyframes
from node.observer.past import Past
from node.observer.turns import in_turns
from projections.base import begin
from projections.track_records import TrackRecords
from projections.travel import Travel

KEPT_MAX = 4

log = logging.getLogger(__name__)


class Pasts:
    """Makes one past at a time, from the keyframe before it, and keeps the last few."""

    def __init__(self, log: Readable, keyframes: Keyframes) -> None:
        self._log = log
        self._keyframes = keyframes
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
        base = await self._log.base()
        begun = base.position if base is not None else 0
        if position < begun:
            raise WrongUsage(
                f"position {position} is before the first event of the log",
                hint=f"it begins at position {begun + 1};"
                " what was before is in an archive (lota replay --from FILE)",
            )
        try:
            found = await self._keyframe(position, begun)
            past, retired = (found.past, found.retired) if found else (_at_base(base), 0)
            await self._fold(past, position, retired)
        except DatabaseUnusable as error:
            log.warning("the log is folded from its beginning: %s", error)
            past = _at_base(base)
            await self._fold(past, position, 0)
        return past

    async def _keyframe(self, position: int, begun: int) -> Found | None:
        """Return the fold at the keyframe before a position, if the log goes on from there."""
        found = await self._keyframes.nearest(position)
        if found is None or found.mark.position < begun:
            return None
        if found.mark.position > begun and await look_up(self._log, found.mark) != "there":
            return None
        return found

    async def _fold(self, past: Past, position: int, retired: int) -> None:
        after = past.position
        if after == position:
            return
        batches = cast("AsyncGenerator[list[Record], None]", self._log.read(after=after))
        async with aclosing(batches):
            async for records in batches:
                await self._tell_retired(past, records, retired)
                for piece in in_turns(records):
                    for record in piece:
                        if record.position > position:
                            return
                        past.fold(record)
                    await asyncio.sleep(0)
                if records[-1].position >= position:
                    return

    async def _tell_retired(self, past: Past, records: list[Record], retired: int) -> None:
        """Let the fold know which jobs of these messages it had let go before its keyframe."""
        if not retired:
            return
        network = past.network
        jobs = dict.fromkeys(name for record in records for name in record.subject.split(".")[3:4])
        unknown = [job for job in jobs if job not in network.jobs and job not in network.retired]
        network.retired.update(dict.fromkeys(await self._keyframes.retired(unknown, retired)))


def _at_base(base: Base | None) -> Past:
    """Return what stood before the first message of the log."""
    network = begin(base)
    records = TrackRecords()
    records.begin(network)
    return Past(Travel(network), records)
