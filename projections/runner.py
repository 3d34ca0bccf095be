"""Keeps the fold of the log and the read models up with the log.

The fold is live in memory, the rows follow at most `FLUSH_S` later. After a restart the fold starts
at the first event of the oldest job still open, and rows are written again from the checkpoint on;
so a crash at any point costs time alone. The nodes, which would need the whole log, are taken from
their rows when the fold passes the checkpoint.

A row of a job may be newer than the checkpoint that it was written with: making the rows of a large
job takes a while, and the fold does not wait for it. What came after the checkpoint is folded again
after a crash, and writes that row again. The rows of nodes are exactly those of the checkpoint.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from events.entry import Entry
from events.log import Base, Log, Record
from projections.base import begin
from projections.network import Network
from projections.nodes import Nodes
from projections.rows import Touched, job_rows, node_rows, read_node
from projections.store import Checkpoint, Store

FLUSH_S = 0.1
PENDING_MAX = 20_000
"""Rows that may wait to be written; beyond it the fold waits for them."""
ROWS_AT_ONCE = 500
"""Rows that are made before others get a turn of the loop."""

OnBatch = Callable[[list[Entry], bool], None]

log = logging.getLogger(__name__)


class Runner:
    """Folds a log into `network`, and the rows that follow from it into a store."""

    def __init__(self, log: Log, store: Store, network: Network | None = None) -> None:
        self.network = network or Network()
        self._log = log
        self._store = store
        self._floor = 0
        self._nodes_at_floor: Nodes | None = None
        self._last: Record | None = None
        self._touched = Touched()
        self._closed: dict[str, None] = {}
        self._flushing = asyncio.Lock()
        self._behind = asyncio.Event()
        self._skipped: frozenset[str] = frozenset()

    async def run(self, on_batch: OnBatch) -> None:
        """Follow the log until cancelled or until it is closed.

        `on_batch` is called after each batch with its events and whether the fold has caught up
        with what was stored when this began; with none at once if nothing is to be caught up with.
        Closed jobs leave the network after that. Raises LogError and DatabaseUnusable.
        """
        after = await self._begin()
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

    async def flush(self) -> None:
        """Write the rows of all that is folded now, and let closed jobs go."""
        async with self._flushing:
            last = self._last
            closed, self._closed = self._closed, {}
            if last is None or last.position <= self._floor:
                self._retire(closed)
                return
            touched, self._touched = self._touched, Touched()
            checkpoint = self._checkpoint(last)
            changes = node_rows(touched, self.network)
            for change in job_rows(touched, self.network):
                changes.append(change)
                if len(changes) % ROWS_AT_ONCE == 0:
                    await asyncio.sleep(0)
            await self._store.commit(changes, checkpoint)
            self._floor = last.position
            self._retire(closed)

    def _retire(self, closed: dict[str, None]) -> None:
        for job in closed:
            self.network.retire(job)

    # Starting

    async def _begin(self) -> int:
        """Return the position to start behind."""
        checkpoint = self._store.checkpoint
        base = await self._log.base()
        if checkpoint is not None and (why := await self._unusable(checkpoint, base)):
            log.warning("the read models are %s: they are built anew", why)
            await self._store.reset()
            checkpoint = None
        known = self.network.codec.names
        if checkpoint is not None and (understood := known & set(checkpoint.skipped)):
            told = ", ".join(sorted(understood))
            log.warning("the read models lack %s, which is known now: they are built anew", told)
            await self._store.reset()
            checkpoint = None
        if checkpoint is None or set(self._store.positions.values()) != {checkpoint.position}:
            return self.begin_at(base)
        self._floor = checkpoint.position
        self._skipped = frozenset(checkpoint.skipped)
        nodes = self._nodes_at_floor = msgspec.json.decode(checkpoint.nodes, type=Nodes)
        rows = {name: read_node(body) async for name, body in self._store.rows("nodes")}
        nodes.members = {name: rows[name] for name in checkpoint.members}
        if checkpoint.low_water > checkpoint.position:
            self.network.position = checkpoint.position
            self._take_nodes()
        if base is not None and base.position >= checkpoint.low_water:
            return self.begin_at(base)  # the oldest job that was open then begins in the archive
        return checkpoint.low_water - 1

    def begin_at(self, base: Base | None) -> int:
        """Begin the fold with what stood before the first message of the log."""
        self.network = begin(base, self.network.codec)
        self._touched.add_all(self.network)
        return self.network.position

    async def _unusable(self, checkpoint: Checkpoint, base: Base | None) -> str:
        """Return what the read models are if the log has not, where they end, what it had there."""
        if base is not None and checkpoint.position <= base.position:
            return "from before the beginning of the log, which was archived"
        if await self._log.last() < checkpoint.position:
            return "those of another log"
        async for batch in self._log.read(after=checkpoint.position - 1):
            return "" if _mark(batch[0]) == checkpoint.mark else "those of another log"
        return "those of another log"

    def _take_nodes(self) -> None:
        if self._nodes_at_floor is not None:
            self.network.nodes, self._nodes_at_floor = self._nodes_at_floor, None

    # Folding

    async def _follow(self, on_batch: OnBatch, after: int) -> None:
        end = await self._log.last()
        if end <= after:
            on_batch([], True)
        async for batch in self._log.follow(after=after):
            entries = self.fold(batch)
            on_batch(entries, self.network.position >= end)
            self._behind.set()
            if self._touched.size > PENDING_MAX:
                await self.flush()

    def fold(self, records: list[Record]) -> list[Entry]:
        """Fold records that follow on what is folded; return the events among them.

        A job that is closed stays until `flush`.
        """
        network, touched, floor = self.network, self._touched, self._floor
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
            if record.position == floor:
                self._take_nodes()
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

    def _checkpoint(self, last: Record) -> Checkpoint:
        """Return where the fold stands: at `last`, the record folded last."""
        network = self.network
        low_water = next(
            (job.first for job in network.jobs.values() if not job.closed), last.position + 1
        )
        nodes = msgspec.structs.replace(network.nodes, members={})
        return Checkpoint(
            position=last.position,
            low_water=low_water,
            mark=_mark(last),
            members=tuple(network.nodes.members),
            nodes=msgspec.json.encode(nodes),
            skipped=tuple(sorted(self._skipped | network.newer.keys())),
        )


def _mark(record: Record) -> str:
    return hashlib.sha256(record.subject.encode() + b"\n" + record.body).hexdigest()


async def rebuild(log: Log, path: Path) -> None:
    """Build the store at `path` from the whole log, in place of what is there.

    Nothing may have it open. Raises LogError and DatabaseUnusable.
    """
    fresh = path.with_name(f"{path.name}.new")
    await asyncio.to_thread(_remove, fresh)
    store = await Store.open(fresh)
    try:
        runner = Runner(log, store)
        async for batch in log.read(after=runner.begin_at(await log.base())):
            runner.fold(batch)
            await runner.flush()
    finally:
        await store.close()
    await asyncio.to_thread(_replace, fresh, path)


def _replace(fresh: Path, path: Path) -> None:
    _remove(path)
    fresh.replace(path)


def _remove(path: Path) -> None:
    """Remove a database; its journal first goes with it, or it would be taken for another's."""
    for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        name.unlink(missing_ok=True)
