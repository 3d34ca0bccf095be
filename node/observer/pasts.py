"""Folds of the log as of past positions, for many who ask at once.

A past is made once for all that wait for it, and given up when nobody does any more. A few are made
side by side, so that a short one need not wait for the end of a long one.
"""

import asyncio
from collections import OrderedDict

from events.errors import LogUnavailable, WrongUsage
from events.log import Readable
from node.observer.keyframes import Keyframes
from node.observer.past import Past
from node.observer.past_folding import fold_past

KEPT_MAX = 4
MADE_AT_ONCE = 4
"""Each is a whole fold in memory, as one that is kept is."""
WAITING_MAX = 64
"""Positions that may be asked for at once."""


class Pasts:
    """Makes pasts, each from the keyframe before it, and keeps the last few."""

    def __init__(self, log: Readable, keyframes: Keyframes) -> None:
        self._log = log
        self._keyframes = keyframes
        self._kept: OrderedDict[int, Past] = OrderedDict()
        self._making: dict[int, _Making] = {}
        self._few = asyncio.Semaphore(MADE_AT_ONCE)

    async def at(self, position: int, last: int) -> Past:
        """Return the network as of a position of a log that ends at `last`.

        Raises WrongUsage for one that is not there, and LogError.
        """
        if position > last:
            raise WrongUsage(
                f"position {position} is beyond what is folded of the log",
                hint=f"its last position is {last}",
            )
        past = self._kept.get(position)
        if past is None:
            past = await self._shared(position)
        self._kept[position] = past
        self._kept.move_to_end(position)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return past

    async def _shared(self, position: int) -> Past:
        """Wait for a past with others who wait for the same."""
        making = self._making.get(position)
        if making is None:
            if len(self._making) >= WAITING_MAX:
                raise LogUnavailable(
                    f"{WAITING_MAX} moments of the past are asked for already",
                    hint="ask again in a while",
                )
            making = self._making[position] = _Making(asyncio.ensure_future(self._make(position)))
        making.waiting += 1
        try:
            return await asyncio.shield(making.task)
        finally:
            making.waiting -= 1
            if not making.waiting:
                making.task.cancel()
                del self._making[position]

    async def _make(self, position: int) -> Past:
        async with self._few:
            return await fold_past(self._log, self._keyframes, position)


class _Making:
    """A past that is being made, and how many wait for it."""

    def __init__(self, task: "asyncio.Task[Past]") -> None:
        self.task = task
        self.waiting = 0
