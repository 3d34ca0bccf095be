"""Keyframes: the fold as it was at some positions, so that any moment is one and a short fold.

A keyframe is a snapshot (`projections.snapshot`) with the counts that go with it, compressed. One
comes every few thousand events, and later if all of them would take more than a share of what the
log itself takes. Jobs that were retired, by the hundred thousand, are rows beside them, each once
and with a number: a keyframe says how many there were.

They are a cache beside the read models: one that is missing costs time. Each bears the mark of the
message that was folded last, and is used only where the log has that message still.
"""

import asyncio
import gc
import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import aiosqlite
import msgspec

from events.codec import PRESENT
from events.errors import DatabaseDamaged, DatabaseUnusable
from events.marks import Mark
from node.observer.past import Past
from projections import kept_fold
from projections.closed import Closed
from projections.database import Kind, insert, naming, open_database, transaction
from projections.kept_fold import collector_paused
from projections.network import RETIRED_MAX, Network
from projections.rebuilding import remove
from projections.runner import Runner
from projections.snapshot import Head, Part, Restored, head, parts, read_head
from projections.tally import Tally
from projections.track_records import TrackRecords
from projections.travel import Travel

EVERY = 2_500
"""Events between two keyframes: a past is folded from one in a tenth of a second."""
SHARE = 0.1
"""Of the bytes of the log; a fold that is larger is kept less often."""
PIECE_BYTES = 1 << 20
"""Made, packed or unpacked before others get a turn of the loop."""
LEVEL = 3
ASKED_AT_ONCE = 500
THAWED_EVERY = 500
"""Folds that are restored before what the collector has left alone is looked at again."""
NUMBER_BYTES = 24
"""What a row and its index take besides the name of a job."""

KIND = Kind(
    name="a store of keyframes",
    application_id=0x4C4F544B,  # "LOTK"
    version=2,
    schema="""
        DROP TABLE IF EXISTS frames;
        DROP TABLE IF EXISTS pieces;
        DROP TABLE IF EXISTS retired;
        CREATE TABLE frames (
            position INTEGER PRIMARY KEY, size INTEGER NOT NULL, body BLOB NOT NULL
        );
        CREATE TABLE pieces (
            position INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
            PRIMARY KEY (position, number)
        );
        CREATE TABLE retired (job TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX by_number ON retired (number)
    """,
    sync="NORMAL",
    remedy="Delete it, with the -wal and -shm files beside it: it is built again from the log",
)

_NEAREST = "SELECT position, body FROM frames WHERE position <= ? ORDER BY position DESC LIMIT 1"
_PIECES = "SELECT body FROM pieces WHERE position = ? ORDER BY number"
_RETIRED = "SELECT job FROM retired WHERE +number > ? AND +number <= ? AND job"
_LAST_RETIRED = "SELECT job, number FROM retired ORDER BY number DESC LIMIT 1"
_NEWEST = "SELECT position, size FROM frames ORDER BY position DESC LIMIT 1"
_DROPS = ("DELETE FROM frames", "DELETE FROM pieces", "DELETE FROM retired")

UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, zlib.error)
"""What is raised over a body that was damaged."""

log = logging.getLogger(__name__)


class _Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a keyframe; `shape` is the codec's, if it passed over what is newer."""

    tally: Tally
    track_records: msgspec.Raw
    head: msgspec.Raw
    retired: int
    shape: str = ""


class Spacing(NamedTuple):
    """How often a keyframe is kept: every so many events, within a share of the log's bytes.

    `snapshot` is how many events a start folds at most.
    """

    every: int = EVERY
    share: float = SHARE
    snapshot: int = kept_fold.EVERY


SPACING = Spacing()


class Found(NamedTuple):
    """A keyframe: the fold at `mark`, ready to go on but for the jobs that were `retired` by then,
    so many: `Keyframes.retired` knows which.
    """

    mark: Mark
    past: Past
    retired: int


class Keyframes:
    """The keyframes in one file. One task writes, any may read.

    `damaged` is set when somebody has met with damage in it, until `renew`.
    """

    def __init__(self, path: Path, connection: aiosqlite.Connection, spacing: Spacing) -> None:
        self.spacing = spacing
        self.damaged = asyncio.Event()
        self.path = path
        self._connection = connection
        self._newest = 0
        self._size_bytes = 0
        self._since_bytes = 0
        self._retired = "", 0
        self._restores = 0
        self._one = asyncio.Lock()
        self._closed = False

    @classmethod
    async def open(cls, path: Path, spacing: Spacing) -> Self:
        """Open the file, or begin one. Raises DatabaseUnusable."""
        connection = await open_database(path, KIND)
        keyframes = cls(path, connection, spacing)
        try:
            with keyframes._naming():
                await keyframes._begin()
        except BaseException:
            await connection.close()
            raise
        return keyframes

    async def newest(self) -> Mark | None:
        """Return the mark of the newest keyframe, None when there is none to be used."""
        with self._naming():
            rows = await self._all(_NEAREST, self._newest)
        for _, body in rows:
            try:
                found = _read(body)
            except UNREADABLE:
                return None
            return found[1].mark if found is not None else None
        return None

    async def close(self) -> None:
        """Close the file; safe to repeat."""
        self._closed = True
        await self._connection.close()

    async def renew(self) -> None:
        """Begin the file anew, whatever is in it; nobody may be writing. Raises DatabaseUnusable.

        Who reads meanwhile is told that it is closed.
        """
        await self.close()
        await asyncio.to_thread(remove, self.path)
        self._connection = await open_database(self.path, KIND)
        self._closed = False
        self.damaged.clear()
        with self._naming():
            await self._begin()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Raise DatabaseUnusable for what goes wrong in the block, and note damage."""
        self._require_open()
        connection = self._connection
        try:
            with naming(self.path, KIND):
                yield
        except DatabaseDamaged:
            if not self._closed:
                self.damaged.set()
            raise
        except ValueError:  # what a connection says that was closed in the middle
            if not self._closed and connection is self._connection:
                raise
            raise self._is_closed() from None

    def _require_open(self) -> None:
        if self._closed:
            raise self._is_closed()

    def _is_closed(self) -> DatabaseUnusable:
        return DatabaseUnusable(f"{self.path} is closed", hint="ask again in a while")

    async def _begin(self) -> None:
        self._newest = self._size_bytes = self._since_bytes = 0
        self._retired = "", 0
        for position, size_bytes in await self._all(_NEWEST):
            self._newest, self._size_bytes = position, size_bytes
        for job, number in await self._all(_LAST_RETIRED):
            self._retired = job, number

    async def drop(self) -> None:
        """Forget all keyframes: the log begins anew. Raises DatabaseUnusable."""
        with self._naming():
            async with transaction(self._connection):
                for statement in _DROPS:
                    await self._connection.execute(statement)
            await self._begin()

    # Writing

    def is_due(self, position: int, folded_bytes: int) -> bool:
        """Take in that so many bytes more of the log were folded, and say whether to keep one."""
        if position > self._newest:
            self._since_bytes += folded_bytes
        return self._is_due(position)

    def _is_due(self, position: int) -> bool:
        far = position - self._newest >= self.spacing.every
        return far and self._since_bytes * self.spacing.share >= self._size_bytes

    async def keep(self, runner: Runner, closed: Closed, track_records: TrackRecords) -> None:
        """Keep the fold as it is now, if that is due still. Raises DatabaseUnusable.

        The fold stands still while it is gone through, and goes on while it is packed.
        """
        async with self._one:
            async with runner.standing() as mark:
                if mark is None or not self._is_due(mark.position):
                    return
                self._since_bytes = 0
                network = runner.network
                retired = [*network.retired, *closed.leaving()][-RETIRED_MAX:]
                names = self._since_last(retired)
                count = self._retired[1] + len(names)
                frame = _frame(network, mark, closed.tally, track_records, count)
                pieces = []
                for piece in _pieces(network):
                    pieces.append(piece)
                    await asyncio.sleep(0)
            await self._write(mark.position, frame, pieces, names)

    async def _write(
        self, position: int, frame: bytes, pieces: list[bytes], names: list[str]
    ) -> None:
        packed = [await asyncio.to_thread(zlib.compress, piece, LEVEL) for piece in pieces]
        last, count = self._retired
        numbered = [(name, count + at) for at, name in enumerate(names, 1)]
        size = len(frame) + sum(map(len, packed)) + sum(len(n) + NUMBER_BYTES for n in names)
        with self._naming():
            async with transaction(self._connection):
                for number, body in enumerate(packed):
                    await insert(
                        self._connection,
                        "INSERT INTO pieces (position, number, body)",
                        [(position, number, body)],
                    )
                await insert(
                    self._connection, "INSERT OR REPLACE INTO retired (job, number)", numbered
                )
                # Readers share the connection: a keyframe that they find has its pieces.
                row = [(position, size, frame)]
                await insert(self._connection, "INSERT INTO frames (position, size, body)", row)
        self._newest, self._size_bytes = position, size
        self._retired = (names[-1], count + len(names)) if names else (last, count)

    def _since_last(self, retired: Sequence[str]) -> list[str]:
        """Return those that were retired since the last keyframe, or all if that is not known."""
        for count, name in enumerate(reversed(retired)):
            if name == self._retired[0]:
                return list(retired[len(retired) - count :])
        return list(retired)

    # Reading

    async def nearest(self, position: int) -> Found | None:
        """Return the last keyframe at or before a position, None when there is none to be used.

        Raises DatabaseUnusable.
        """
        with self._naming():
            while rows := await self._all(_NEAREST, position):
                ((at, body),) = rows
                try:
                    with collector_paused():
                        found = await self._restored(at, body)
                except (*UNREADABLE, LookupError) as error:
                    log.warning("the keyframe at %d in %s cannot be used: %s", at, self.path, error)
                    found = None
                if found is not None:
                    return found
                position = at - 1
        return None

    async def _restored(self, position: int, body: bytes) -> Found | None:
        # Garbage of others that stood around at such a time is not kept for ever.
        self._restores += 1
        if self._restores % THAWED_EVERY == 0:
            gc.unfreeze()
        read = _read(body)
        if read is None:
            return None
        frame, found = read
        restored = Restored(found)
        async with self._connection.execute(_PIECES, (position,)) as cursor:
            async for (piece,) in cursor:
                unpacked = await asyncio.to_thread(zlib.decompress, piece)
                for job, number, part in msgspec.json.decode(unpacked, type=list[_Packed]):
                    restored.take(Part(job, number, bytes(part)))
        network = restored.network(PRESENT)
        track_records = TrackRecords()
        track_records.restore(bytes(frame.track_records), network)
        past = Past(Travel(network, tally=frame.tally), track_records)
        return Found(found.mark, past, frame.retired)

    async def retired(self, jobs: Sequence[str], count: int) -> list[str]:
        """Return which of these jobs are among the last that were retired, of so many in all.

        Raises DatabaseUnusable.
        """
        found: list[str] = []
        with self._naming():
            for start in range(0, len(jobs), ASKED_AT_ONCE):
                part = jobs[start : start + ASKED_AT_ONCE]
                query = f"{_RETIRED} IN ({','.join('?' * len(part))})"
                rows = await self._all(query, count - RETIRED_MAX, count, *part)
                found += [job for (job,) in rows]
        return found

    async def _all(self, query: str, *values: object) -> list[aiosqlite.Row]:
        async with self._connection.execute(query, values) as cursor:
            return list(await cursor.fetchall())


_Packed = tuple[str, int, msgspec.Raw]


def _frame(
    network: Network, mark: Mark, tally: Tally, track_records: TrackRecords, retired: int
) -> bytes:
    made = head(network, mark, [])
    shape = network.codec.shape if network.newer else ""
    frame = _Frame(
        tally=tally,
        track_records=msgspec.Raw(track_records.state()),
        head=msgspec.Raw(made.body),
        retired=retired,
        shape=shape,
    )
    return zlib.compress(msgspec.json.encode(frame), LEVEL)


def _read(body: bytes) -> tuple[_Frame, Head] | None:
    """Return the head of a keyframe, None if that is of another version of Lota."""
    frame = msgspec.json.decode(zlib.decompress(body), type=_Frame)
    found = read_head(bytes(frame.head))
    if found is None or frame.shape not in ("", PRESENT.shape):
        return None
    return frame, found


def _pieces(network: Network) -> Iterator[bytes]:
    """Yield the parts of the open jobs, some of them at a time."""
    gathered: list[_Packed] = []
    size = 0
    # While the fold stands still, closed jobs leave it all the same.
    for job in [job for job in network.jobs.values() if not job.closed]:
        for part in parts(job):
            gathered.append((part.job, part.number, msgspec.Raw(part.body)))
            size += len(part.body)
            if size >= PIECE_BYTES:
                yield msgspec.json.encode(gathered)
                gathered, size = [], 0
    if gathered:
        yield msgspec.json.encode(gathered)
