"""The trees of several shards, walked side by side: what stands at a path in all of them.

Walks come in the same order, so it takes one entry of each shard at a time and no list of all.
"""

import asyncio
import heapq
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import NamedTuple

from node.results.job_results import ShardResult
from publishers.reading import Entry

ADVANCED_AT_ONCE = 16


class Found(NamedTuple):
    """An entry of one shard's result."""

    shard: ShardResult
    entry: Entry


_Key = tuple[bytes, ...]


async def merged(
    walks: Sequence[tuple[ShardResult, AsyncIterator[Entry]]],
) -> AsyncGenerator[list[Found], None]:
    """Yield what stands at each path, in the order of the shards.

    A walk gives a folder before what is in it, and names in the order of their bytes. Raises what a
    walk raises.
    """
    heads: list[tuple[_Key, int, Entry]] = []
    due = list(range(len(walks)))
    while True:
        for start in range(0, len(due), ADVANCED_AT_ONCE):
            numbers = due[start : start + ADVANCED_AT_ONCE]
            entries = await _advanced([walks[number][1] for number in numbers])
            for number, entry in zip(numbers, entries, strict=True):
                if entry is not None:
                    heapq.heappush(heads, (_key(entry), number, entry))
        if not heads:
            return
        key, due, group = heads[0][0], [], []
        while heads and heads[0][0] == key:
            _, number, entry = heapq.heappop(heads)
            due.append(number)
            group.append(Found(walks[number][0], entry))
        yield group


async def _advanced(walks: Sequence[AsyncIterator[Entry]]) -> list[Entry | None]:
    """Return the next entry of each walk, None at its end; none is still at it after a failure.

    Else it could not be closed.
    """
    steps = [asyncio.ensure_future(_next(walk)) for walk in walks]
    try:
        return await asyncio.gather(*steps)
    finally:
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)


async def _next(walk: AsyncIterator[Entry]) -> Entry | None:
    return await anext(walk, None)


def _key(entry: Entry) -> _Key:
    return tuple(os.fsencode(entry.path).split(b"/"))
