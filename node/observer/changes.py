"""Telling whoever looks on that something has changed, a few times a second at most."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import NamedTuple

from events.entry import Entry
from events.subjects import NET

EVERY_S = 0.25
JOBS_MAX = 100
"""Jobs that a change names; of more it says only that they are many."""


class Change(NamedTuple):
    """What came since the last change, up to `position`; `time_ms` is that of the newest event.

    `jobs` are the ids of the jobs that it is about, None when they are many.
    """

    position: int
    time_ms: int
    jobs: tuple[str, ...] | None
    nodes: bool


class Changes:
    """Gathers what batches of events are about, for each that waits by itself."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._waiting: set[_Gathered] = set()

    def note(self, position: int, time_ms: int, entries: Iterable[Entry]) -> None:
        """Take in a batch that was folded, up to a position."""
        if not self._waiting:
            return
        jobs = dict.fromkeys(entry.address.job for entry in entries)
        nodes = NET in jobs
        jobs.pop(NET, None)
        for gathered in self._waiting:
            gathered.add(Change(position, time_ms, tuple(jobs), nodes))

    async def follow(self) -> AsyncGenerator[Change, None]:
        """Yield what changes from now on, until closed."""
        gathered = _Gathered()
        self._waiting.add(gathered)
        try:
            while True:
                yield await gathered.take()
                await asyncio.sleep(self._every_s)
        finally:
            self._waiting.discard(gathered)


class _Gathered:
    """The changes that one has yet to be told, as one."""

    def __init__(self) -> None:
        self._there = asyncio.Event()
        self._jobs: dict[str, None] | None = {}
        self._nodes = False
        self._position = 0
        self._time_ms = 0

    def add(self, change: Change) -> None:
        self._position, self._time_ms = change.position, change.time_ms
        self._nodes = self._nodes or change.nodes
        if self._jobs is not None and change.jobs is not None:
            self._jobs |= dict.fromkeys(change.jobs)
            if len(self._jobs) > JOBS_MAX:
                self._jobs = None
        self._there.set()

    async def take(self) -> Change:
        await self._there.wait()
        self._there.clear()
        jobs = tuple(self._jobs) if self._jobs is not None else None
        change = Change(self._position, self._time_ms, jobs, self._nodes)
        self._jobs, self._nodes = {}, False
        return change
