"""Jobs folded one by one from their own streams, as of any position.

A page about a job asks again and again while the job goes on: what was folded for it last is kept,
and goes on where it stands.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import NamedTuple, cast
from weakref import WeakValueDictionary

from events.log import Readable, Record
from events.subjects import job_events
from node.observer.turns import in_turns
from projections.base import begin
from projections.job_fold import JobFold
from projections.lanes import Lanes
from projections.nodes import Nodes
from projections.state import Job
from projections.timeline import Timeline

KEPT_MAX = 8
FOLDED_AT_ONCE = 4


class Told(NamedTuple):
    """A job as of a position, the nodes as of then, its timeline and its lanes.

    It goes on with the next look at the job, unless it is `JobStreams.standing`.
    """

    job: Job
    nodes: Nodes
    timeline: Timeline
    lanes: Lanes


class _Kept:
    """A job's fold, and how far its stream has been read."""

    def __init__(self, fold: JobFold, position: int) -> None:
        self.fold = fold
        self.position = position


class JobStreams:
    """Folds a few jobs at a time, each by one alone; the loop gets its turns."""

    def __init__(self, log: Readable) -> None:
        self._log = log
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._one_each: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._few = asyncio.Semaphore(FOLDED_AT_ONCE)
        self._standing: dict[str, asyncio.Event] = {}

    async def fold(self, name: str, position: int) -> JobFold:
        """Return the fold of a job as of a position; it has no job if that was not there then.

        While it is `standing` for somebody else, it is waited for: all who look at a job ask when
        it has changed, and folding it anew for each takes longer. Raises LogError.
        """
        alone = self._one_each.get(name)
        if alone is None:
            alone = self._one_each[name] = asyncio.Lock()
        while True:
            async with alone, self._few:
                over = self._standing.get(name)
                if over is None:
                    return await self._fold(name, position)
            await over.wait()

    @contextmanager
    def standing(self, name: str) -> Iterator[None]:
        """Let the fold of a job stand as it was returned just now; who asks for it waits."""
        over = self._standing[name] = asyncio.Event()
        try:
            yield
        finally:
            del self._standing[name]
            over.set()

    async def _fold(self, name: str, position: int) -> JobFold:
        base = await self._log.base()
        begun = base.position if base is not None else 0
        kept = self._kept.pop(name, None)
        if kept is None or not begun <= kept.position <= position:
            kept = _Kept(JobFold(name, begin(base)), begun)
        if kept.position < position:
            await self._go_on(kept, name, position)
        self._kept[name] = kept
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return kept.fold

    async def _go_on(self, kept: _Kept, name: str, position: int) -> None:
        batches = self._log.read((job_events(name),), after=kept.position)
        async with aclosing(cast("AsyncGenerator[list[Record], None]", batches)):
            async for records in batches:
                for piece in in_turns(records):
                    for record in piece:
                        if record.position <= position:
                            kept.fold.fold(record)
                            kept.position = record.position
                    await asyncio.sleep(0)
                if records[-1].position >= position:
                    break
        kept.position = position
