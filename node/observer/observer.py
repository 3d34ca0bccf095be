"""The observer: follows the log, and answers what the network is, was, and how it came."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from events.errors import DatabaseUnusable, NotFound
from events.log import Followed
from node.jobs import the_one
from node.observer.changes import Change
from node.observer.following import Following, models
from node.observer.job_streams import JobStreams, Told
from node.observer.keyframes import SPACING, Keyframes, Spacing
from node.observer.listing import JobPage, Wanted, jobs
from node.observer.past import Past, present
from node.observer.pasts import Pasts
from node.observer.statistics import StatisticsReader
from projections.network import Network
from projections.read_model import versions_with
from projections.rebuilding import remove
from projections.store import Store
from projections.track_records import TrackRecords

CANDIDATES_MAX = 11

PositionSince = Callable[[int], Awaitable[int]]
"""The first position stored at a time (ms since the Unix epoch) or later, one behind the end when
there is none: `History.position_since`, `FileLog.position_since`."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Projection(NamedTuple):
    """A read model, and the last position that is in its rows."""

    name: str
    version: int
    position: int


class Observer:
    """Follows a log while it is entered (`open`), and writes nothing but its own folder.

    `ready` is set when all is folded that was stored when it began. `failed` ends, with the error,
    when it cannot go on; what it has can still be read.
    """

    def __init__(
        self,
        log: Followed,
        store: Store,
        keyframes: Keyframes,
        position_since: PositionSince,
    ) -> None:
        self.log = log
        self.store = store
        self._keyframes = keyframes
        self._following = following = Following(log, store, keyframes, self._forget)
        self.ready = following.ready
        self._position_since = position_since
        self.statistics = StatisticsReader(store, lambda: following.counted.time_ms, self._written)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        log: Followed,
        folder: Path,
        position_since: PositionSince,
        *,
        spacing: Spacing = SPACING,
    ) -> AsyncIterator[Self]:
        """Follow a log, and keep in `folder` what is folded of it.

        The folder is a cache: what is there of another log is dropped. One process uses it at a
        time. Raises LogError and DatabaseUnusable.
        """
        async with AsyncExitStack() as stack:
            store = await _opened(folder / "projections.db", _store)
            stack.push_async_callback(store.close)
            path = folder / "keyframes.db"
            keyframes = await _opened(path, lambda path: Keyframes.open(path, spacing))
            stack.push_async_callback(keyframes.close)
            observer = cls(log, store, keyframes, position_since)
            await observer._start(stack)
            yield observer

    def _forget(self) -> None:
        """Forget what was folded of the past: it may be that of another log."""
        self._pasts = Pasts(self.log, self._keyframes)
        self._streams = JobStreams(self.log)

    async def _start(self, stack: AsyncExitStack) -> None:
        self._following.end = await self.log.last()
        self.failed = asyncio.ensure_future(self._following.run())
        self.failed.add_done_callback(_tell)
        measuring = asyncio.ensure_future(self._following.measure())
        stack.push_async_callback(self._stop, self.failed, measuring)

    async def _stop(self, *tasks: "asyncio.Task[None]") -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._following.runner.rest()

    # What is

    @property
    def track_records(self) -> TrackRecords:
        """How each node has fared in the jobs that have ended."""
        return self._following.track_records

    @property
    def network(self) -> Network:
        """The live fold; a closed job is in it for a moment."""
        return self._following.runner.network

    @property
    def position(self) -> int:
        """The last position that is folded."""
        return self._following.runner.network.position

    @property
    def time_ms(self) -> int:
        """When the newest event says that it happened, 0 if there is none."""
        return self._following.closed.tally.time_ms

    @property
    def lag(self) -> int:
        """How many messages are stored and not folded yet, as far as is known."""
        return max(0, self._following.end - self.position)

    @property
    def away(self) -> str:
        """Why the log cannot be asked at present, "" while it can; known to some seconds."""
        return self._following.away

    def projections(self) -> list[Projection]:
        """Return the read models, and how far the rows of each are written."""
        positions = self.store.positions
        return [
            Projection(name, version, positions.get(name, 0))
            for name, version in sorted(self.store.versions.items())
        ]

    def changes(self) -> AsyncGenerator[Change, None]:
        """Yield what changes from now on, at most one change every 250 ms."""
        return self._following.changes.follow()

    # What was

    async def at(self, position: int | None) -> Past:
        """Return the network as of a position, None for now.

        Raises WrongUsage for a position that is not folded, LogError when the log cannot be read.
        """
        if position is None or position == self.position:
            return present(self.network, self._following.closed.tally, self.track_records)
        return await self._pasts.at(position, self.position)

    async def position_at(self, time_ms: int) -> int:
        """Return the last position that was stored by a time; 0 if it is before all."""
        return await self._position_since(time_ms + 1) - 1

    async def jobs(
        self,
        *,
        past: Past,
        states: Iterable[str] = (),
        labels: Sequence[str] = (),
        text: str = "",
        before: int | None = None,
        limit: int = 50,
    ) -> JobPage:
        """Return jobs as of then, the newest first, of those that began before a position.

        Of the states one matches, of the labels (KEY=VALUE or KEY) all; `text` is part of the id,
        the name or a label. None of them matches every job. Raises DatabaseUnusable.
        """
        await self._written(past.position)
        wanted = Wanted(frozenset(states), tuple(labels), text)
        return await jobs(self.store, past, wanted, before=before, limit=limit)

    async def _written(self, position: int | None = None) -> None:
        """See to it that what is folded up to a position, by default all, is in the rows."""
        position = self.position if position is None else position
        if min(self.store.positions.values()) < position:
            await self._following.runner.flush()

    async def job_id(self, text: str) -> str:
        """Return the id of the job that `text` names: its id, or the start of no other's.

        Raises NotFound, and WrongUsage with the candidates when there are several.
        """
        network = self.network
        if text in network.jobs or await self.store.row("jobs", text) is not None:
            return text
        found = await self.store.keys("jobs", text, CANDIDATES_MAX)
        fresh = (name for name in network.jobs if name.startswith(text))
        archived = await self.log.base()
        names = sorted(dict.fromkeys([*found, *fresh]))
        return the_one(text, names, archived.position if archived is not None else 0)

    async def job(self, text: str, past: Past) -> Told:
        """Return a job as of then, which stays whole when it is closed: see `job_id` for `text`.

        Raises NotFound for one that was not there then, WrongUsage, and LogError.
        """
        name = await self.job_id(text)
        fold = await self._streams.fold(name, past.position)
        if fold.job is None:
            raise NotFound(
                f"job {name} was not there yet at position {past.position}",
                hint="choose a later position",
            )
        return Told(fold.job, past.network.nodes, fold.timeline, fold.lanes)

    def standing(self, job: str) -> AbstractContextManager[None]:
        """Let a job stand as it was told just now, by its whole id; who asks for it waits."""
        return self._streams.standing(job)


def _tell(ended: "asyncio.Task[None]") -> None:
    error = None if ended.cancelled() else ended.exception()
    if error is not None:
        log.error("the log is not followed any more: %s", error)


async def _store(path: Path) -> Store:
    return await Store.open(path, versions_with(models()))


async def _opened(path: Path, open_file: Callable[[Path], Awaitable[T]]) -> T:
    """Open a file, anew if what is there cannot be used: all of it follows from the log."""
    try:
        return await open_file(path)
    except DatabaseUnusable as error:
        log.warning("%s is built anew: %s", path, error.what)
        await asyncio.to_thread(remove, path)
        return await open_file(path)
