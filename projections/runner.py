"""Keeps the fold of the log and the read models up with the log.

The fold is live in memory, the rows follow at most `FLUSH_S` later, and now and then the fold is
written beside them. A restart takes the fold from there and folds on, so it takes no longer on a
long log than on a short one, whatever is open; rows are written again from the checkpoint on. So a
crash at any point costs time alone.

A row of a job may be newer than the checkpoint that it was written with: making the rows of a large
job takes a while, and the fold does not wait for it. What came after the checkpoint is folded again
after a crash, and writes that row again. For a snapshot the fold waits, and nothing else does.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec

from events.entry import Entry
from events.errors import DatabaseUnusable, LogError, LogUnavailable
from events.log import Base, Followed, Record
from events.marks import Mark, mark_of
from events.recognition import Found, look_up, recognise
from projections.base import begin
from projections.kept_fold import EVERY, KeptFold
from projections.network import Network
from projections.read_model import ReadModel
from projections.rows import Change, Touched, job_rows, node_rows
from projections.store import Checkpoint, Snapshot, Store

FLUSH_S = 0.1
PENDING_MAX = 20_000
"""Rows that may wait to be written; beyond it the fold waits for them."""
ROWS_AT_ONCE = 500
"""Rows that are made before others get a turn of the loop."""

REMEDY = (
    "Start this node with the server that it belongs to. If that log is gone for good, delete"
    " the file with the -wal and -shm files beside it: it is built again from the log"
)

OnBatch = Callable[[list[Entry], bool], None]

log = logging.getLogger(__name__)


class Runner:
    """Folds a log into `network`, and the rows that follow from it into a store.

    The fold is written every `snapshot_every` events; a restart folds no more than these. `models`
    are kept beside the read models of `projections.rows`: the store was opened for them too.
    """

    def __init__(
        self,
        log: Followed,
        store: Store,
        network: Network | None = None,
        *,
        snapshot_every: int = EVERY,
        models: Sequence[ReadModel[Any]] = (),
    ) -> None:
        self.network = network or Network()
        self._log = log
        self._store = store
        self._kept = KeptFold(store, snapshot_every)
        self._models = models
        self._floors: dict[str, int] = {}
        self._floor = 0
        self._anchor: Mark | None = None
        self._last: Record | None = None
        self._touched = Touched()
        self._closed: dict[str, None] = {}
        self._flushing = asyncio.Lock()
        self._folding = asyncio.Lock()
        self._behind = asyncio.Event()
        self._skipped: frozenset[str] = frozenset()

    async def run(self, on_batch: OnBatch) -> None:
        """Follow the log until cancelled or until it is closed.

        `on_batch` is called after each batch with its events and whether the fold has caught up
        with what was stored when this began; with none at once if nothing is to be caught up with.
        Closed jobs leave the network after that. Raises AnotherLog, and changes nothing, when the
        store follows another log, also one that took the place of this one meanwhile; LogError and
        DatabaseUnusable.
        """
        after = await self._begin()
        try:
            await self._go_on(on_batch, after)
        except LogUnavailable:
            raise
        except LogError as error:
            if await self._recognised() == "there":
                raise
            raise LogError(
                f"{self._store.path} is ahead of the log, which has lost its end: {error.what}",
                hint="start again: it is built anew then",
            ) from error

    async def _go_on(self, on_batch: OnBatch, after: int) -> None:
        following = asyncio.ensure_future(self._follow(on_batch, after))
        writing = asyncio.ensure_future(self._write())
        try:
            await asyncio.wait((following, writing), return_when=asyncio.FIRST_COMPLETED)
            for task in (following, writing):
                if task.done():
                    task.result()
            await self.flush()
        finally:
            following.cancel()
            writing.cancel()
            await asyncio.gather(following, writing, return_exceptions=True)

    async def rest(self) -> None:
        """Write all that is folded, when `run` has ended: the next start folds what comes then."""
        try:
            await self.flush(snapshot=True)
        except DatabaseUnusable as error:
            log.warning("the next start takes longer, the fold could not be written: %s", error)

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[Mark | None]:
        """The fold stands still in the block, at a mark; None before anything was folded, and when
        the fold has broken off.
        """
        async with self._folding:
            last = self._last
            broke_off = last is None or last.position != self.network.position
            yield None if last is None or broke_off else mark_of(last)

    async def flush(self, *, snapshot: bool = False) -> None:
        """Write the rows of all that is folded now, and let closed jobs go.

        The fold is written with them if that is due, or with `snapshot`. When this is cut off,
        what it would have written is written by the next.
        """
        async with self._flushing, AsyncExitStack() as fold_waits:
            snapshot = snapshot or self._snapshot_is_due()
            if snapshot:
                await fold_waits.enter_async_context(self._folding)
            last = self._last
            closed, self._closed = self._closed, {}
            # A fold that broke off over an event is ahead of what it was folded from: not kept.
            broke_off = last is not None and last.position != self.network.position
            if last is None or broke_off or not self._is_news(last, snapshot=snapshot):
                self._retire(closed)
                return
            touched, self._touched = self._touched, Touched()
            taken = [(model, model.take()) for model in self._models]
            try:
                checkpoint = self._checkpoint(last)
                changes = await self._rows(touched)
                for model, part in taken:
                    changes += await self._rows_of(model, part)
                fold = await self._whole(checkpoint.mark, closed) if snapshot else None
                await fold_waits.aclose()
                cut_off = await _ended(self._store.commit(changes, checkpoint, fold))
            except BaseException:
                self._touched.join(touched)
                self._closed = closed | self._closed
                for model, part in taken:
                    model.give_back(part)
                raise
            self._floor = last.position
            if snapshot:
                self._kept.written(checkpoint.mark)
            self._retire(closed)
            if cut_off:
                raise asyncio.CancelledError

    async def _whole(self, mark: Mark, closed: Iterable[str]) -> Snapshot:
        states = {model.name: model.state() for model in self._models}
        return await self._kept.take(self.network, mark, closed, states)

    def _snapshot_is_due(self) -> bool:
        last = self._last
        return last is not None and last.position > self._floor and self._kept.is_due(last.position)

    def _is_news(self, last: Record, *, snapshot: bool) -> bool:
        """Whether the store is behind; not while what is in it is only folded again."""
        if last.position != self._floor:
            return last.position > self._floor
        return snapshot and last.position > self._kept.position

    def _retire(self, closed: dict[str, None]) -> None:
        for job in closed:
            self.network.retire(job)

    # Starting

    async def _begin(self) -> int:
        """Return the position to start behind."""
        if not await self._follows_this_log() or self._lacks_what_is_known():
            await self._store.reset()
            self._anchor = None
        checkpoint = self._store.checkpoint
        self._floors = dict(self._store.positions)
        if checkpoint is None or set(self._floors.values()) != {checkpoint.position}:
            return await self._from_nothing()
        self._floor = checkpoint.position
        self._skipped = frozenset(checkpoint.skipped)
        restored = await self._kept.restore(self.network.codec)
        if restored is None or not await self._is_there(self._kept.mark, checkpoint):
            return await self._from_nothing()
        if not self._are_restored(restored):
            return await self._from_nothing()
        self.network = restored
        return restored.position

    def _are_restored(self, network: Network) -> bool:
        """Whether each model takes up what the snapshot has of it."""
        states = self._kept.states
        try:
            for model in self._models:
                model.restore(states[model.name], network)
        except (msgspec.MsgspecError, ValueError, LookupError) as error:
            log.warning("the snapshot in %s cannot be used: %s", self._store.path, error)
            return False
        return True

    async def _is_there(self, mark: Mark | None, checkpoint: Checkpoint) -> bool:
        """Whether the log goes on behind a snapshot; it is known to go on behind the checkpoint."""
        if mark is None or mark == checkpoint.mark:
            return mark is not None
        return await look_up(self._log, mark) == "there"

    async def _from_nothing(self) -> int:
        """Fold the log from its beginning, whatever the store has."""
        await self._kept.drop()
        return self._begin_at(await self._log.base())

    def _begin_at(self, base: Base | None) -> int:
        """Begin the fold with what stood before the first message of the log."""
        self.network = begin(base, self.network.codec)
        self._touched.add_all(self.network)
        for model in self._models:
            model.begin(self.network)
        return self.network.position

    async def _follows_this_log(self) -> bool:
        """Whether the store's rows go on here; not if this log has lost what they were made of.

        Raises AnotherLog when they were made of another one.
        """
        found = await self._recognised()
        checkpoint, path = self._store.checkpoint, self._store.path
        if found != "there" and checkpoint is not None:
            lost = "begins behind" if found == "gone" else "has lost"
            log.warning("%s is built anew: the log %s its %s", path, lost, checkpoint.mark)
        return found == "there"

    async def _recognised(self) -> Found:
        """Say what the log has where the store ends; raises AnotherLog as `run` does."""
        checkpoint = self._store.checkpoint
        if checkpoint is None:
            return "there"
        found, self._anchor = await recognise(
            self._log,
            checkpoint.mark,
            checkpoint.anchor,
            keeps=str(self._store.path),
            remedy=REMEDY,
        )
        return found

    def _lacks_what_is_known(self) -> bool:
        """Whether the rows were made by a version that passed over what this one knows."""
        checkpoint, codec = self._store.checkpoint, self.network.codec
        if checkpoint is None or not checkpoint.skipped or checkpoint.shape == codec.shape:
            return False
        understood = codec.names.intersection(checkpoint.skipped)
        if understood:
            told = ", ".join(sorted(understood))
            log.warning("the read models lack %s, which is known now: they are built anew", told)
        return bool(understood)

    # Folding

    async def _follow(self, on_batch: OnBatch, after: int) -> None:
        end = await self._log.last()
        if end <= after:
            on_batch([], True)
        async for batch in self._log.follow(after=after):
            async with self._folding:
                entries = self.fold(batch)
            on_batch(entries, self.network.position >= end)
            self._behind.set()
            if self._touched.size + sum(model.pending for model in self._models) > PENDING_MAX:
                await self.flush()

    def fold(self, records: list[Record]) -> list[Entry]:
        """Fold records that follow on what is folded; return the events among them.

        A job that is closed stays until `flush`.
        """
        network, touched, floor = self.network, self._touched, self._floor
        models = [(model.note, self._floors.get(model.name, 0)) for model in self._models]
        entries: list[Entry] = []
        for record in records:
            entry = network.fold(record)
            if entry is not None:
                entries.append(entry)
                if record.position > floor:
                    touched.add(entry, network)
                job = network.jobs.get(entry.address.job)
                if job is not None and job.closed:
                    self._closed[job.id] = None
            for note, behind in models:
                note(record, entry, network, stored=record.position <= behind)
        self._last = records[-1]
        return entries

    # Writing

    async def _write(self) -> None:
        """Write what is pending, at most once every `FLUSH_S`."""
        while True:
            await self._behind.wait()
            self._behind.clear()
            await self.flush()
            await asyncio.sleep(FLUSH_S)

    async def _rows(self, touched: Touched) -> list[Change]:
        """Make the rows that may have changed; the fold may go on meanwhile."""
        changes = node_rows(touched, self.network)
        for change in job_rows(touched, self.network):
            changes.append(change)
            if len(changes) % ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return changes

    async def _rows_of(self, model: ReadModel[Any], taken: Any) -> list[Change]:
        changes: list[Change] = []
        stored = await self._store.bodies(model.name, model.reads(taken))
        for key, body in model.rows(taken, stored):
            changes.append((model.name, key, body))
            if len(changes) % ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return changes

    def _checkpoint(self, last: Record) -> Checkpoint:
        """Return where the fold stands: at `last`, the record folded last."""
        mark = mark_of(last)
        self._anchor = self._anchor or mark
        skipped = tuple(sorted(self._skipped | self.network.newer.keys()))
        shape = self.network.codec.shape if skipped else ""
        return Checkpoint(mark, self._anchor, skipped, shape)


async def _ended(work: Coroutine[Any, Any, None]) -> bool:
    """Let work come to its end, and return whether this was to be cut off meanwhile.

    Of a commit that was cut off nobody knows whether it counts, and what is added to a row must not
    be added twice.
    """
    task = asyncio.ensure_future(work)
    cut_off = False
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            cut_off = True
    task.result()
    return cut_off
