"""Folding the log up to a past position, from the keyframe before it.

Others go on meanwhile: the beginning of the log may be archived, or its end be lost. So it is the
log as it is afterwards that says whether what was folded is right.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from events.errors import DatabaseUnusable, LogError, LogUnavailable, WrongUsage
from events.log import Base, Readable, Record
from events.marks import Mark
from events.recognition import look_up
from node.observer.keyframes import Keyframes
from node.observer.past import Past
from node.observer.turns import in_turns
from projections.base import begin
from projections.track_records import TrackRecords
from projections.travel import Travel

TRIES = 3

log = logging.getLogger(__name__)


async def fold_past(readable: Readable, keyframes: Keyframes, position: int) -> Past:
    """Return the network as of a position.

    Raises WrongUsage when the log begins behind it, and LogError; LogUnavailable when the log is
    another each time one looks.
    """
    for _ in range(TRIES):
        base = await readable.base()
        begun = _begin_of(base)
        if position < begun:
            raise WrongUsage(
                f"position {position} is before the first event of the log",
                hint=f"it begins at position {begun + 1};"
                " what was before is in an archive (lota replay --from FILE)",
            )
        folding = _Folding(readable, keyframes, base)
        try:
            past = await folding.fold(position)
        except LogUnavailable:
            raise
        except LogError:
            if await folding.stands():
                raise
            continue
        if await folding.stands():
            return past
    raise LogUnavailable(
        f"the log is not the same any more that position {position} was folded of",
        hint="ask again",
    )


class _Folding:
    """One try, of a log that begins with `base`."""

    def __init__(self, readable: Readable, keyframes: Keyframes, base: Base | None) -> None:
        self._log = readable
        self._keyframes = keyframes
        self._base = base
        self._begun = _begin_of(base)
        self._mark: Mark | None = None
        self._retired = 0

    async def fold(self, position: int) -> Past:
        """Return the past. Raises LogError."""
        try:
            past = await self._nearest(position)
            await self._go_on(past, position)
        except DatabaseUnusable as error:
            log.warning("the log is folded from its beginning: %s", error)
            past = self._at_base()
            await self._go_on(past, position)
        return past

    async def stands(self) -> bool:
        """Whether the log still goes on from where this began."""
        if self._mark is not None:
            return await look_up(self._log, self._mark) == "there"
        return _begin_of(await self._log.base()) == self._begun

    async def _nearest(self, position: int) -> Past:
        """Return the keyframe before a position, or what the log begins with."""
        found = await self._keyframes.nearest(position)
        if found is None or found.mark.position < self._begun:
            return self._at_base()
        # The message that was folded last may be the last that was archived.
        self._mark = found.mark if found.mark.position > self._begun else None
        self._retired = found.retired
        return found.past

    def _at_base(self) -> Past:
        """Return what stood before the first message of the log."""
        self._mark, self._retired = None, 0
        network = begin(self._base)
        records = TrackRecords()
        records.begin(network)
        return Past(Travel(network), records)

    async def _go_on(self, past: Past, position: int) -> None:
        after = past.position
        if after == position:
            return
        batches = cast("AsyncGenerator[list[Record], None]", self._log.read(after=after))
        async with aclosing(batches):
            async for records in batches:
                await self._tell_retired(past, records)
                for piece in in_turns(records):
                    for record in piece:
                        if record.position > position:
                            return
                        past.fold(record)
                    await asyncio.sleep(0)
                if records[-1].position >= position:
                    return
        raise LogUnavailable(
            f"the log ends before position {position} now: it has lost its end",
            hint="ask again in a while",
        )

    async def _tell_retired(self, past: Past, records: list[Record]) -> None:
        """Let the fold know which jobs of these messages it had let go before its keyframe."""
        if not self._retired:
            return
        network = past.network
        jobs = dict.fromkeys(name for record in records for name in record.subject.split(".")[3:4])
        unknown = [job for job in jobs if job not in network.jobs and job not in network.retired]
        known = await self._keyframes.retired(unknown, self._retired)
        network.retired.update(dict.fromkeys(known))


def _begin_of(base: Base | None) -> int:
    return base.position if base is not None else 0
