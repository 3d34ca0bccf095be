"""Where read models are kept: one SQLite file, its rows, checkpoint and snapshot written together.

All of it follows from the log, so whatever is wrong with the file, it may be deleted. A power
failure may cost the last commits; they are folded again.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiosqlite
import msgspec

from events.marks import Mark
from projections.database import Kind, delete, insert, naming, open_database, transaction
from projections.rows import VERSIONS, Change
from projections.snapshot import HEAD, Part

FETCHED = 1_000
"""Rows that are in memory at one time while all are read."""
READ_AT_ONCE = 100
"""Rows that are read and used before others get a turn of the loop."""
PARTS_AT_ONCE = 50
"""Parts of a snapshot, which may take half a megabyte each, that SQLite copies at one time."""
WRITTEN = 1_500
"""Changes that are sorted into rows and removals before others get a turn of the loop."""

KIND = Kind(
    name="a store of read models",
    application_id=0x4C4F5450,  # "LOTP"
    version=2,
    schema="""
        DROP TABLE IF EXISTS rows;
        DROP TABLE IF EXISTS projections;
        DROP TABLE IF EXISTS checkpoint;
        CREATE TABLE rows (
            projection TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
            PRIMARY KEY (projection, key)
        ) WITHOUT ROWID;
        CREATE TABLE projections (
            name TEXT PRIMARY KEY, version INTEGER NOT NULL, position INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE checkpoint (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL);
        CREATE TABLE snapshot (
            job TEXT NOT NULL, part INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (job, part)
        )
    """,
    sync="NORMAL",
    remedy="Delete it, with the -wal and -shm files beside it: it is built again from the log",
)

_ROW = "INSERT OR REPLACE INTO rows (projection, key, body)"
_GONE = "DELETE FROM rows WHERE projection = ? AND key"
_PROJECTION = "INSERT OR REPLACE INTO projections (name, version, position)"
_CHECKPOINT = "INSERT OR REPLACE INTO checkpoint (one, body)"
_PART = "INSERT INTO snapshot (job, part, body)"
_ONE = "SELECT body FROM rows WHERE projection = ? AND key = ?"
_MANY = "SELECT key, body FROM rows WHERE projection = ? AND key"
_NEXT = "SELECT key, body FROM rows WHERE projection = ? AND key > ? ORDER BY key LIMIT ?"
_BACK = "SELECT key, body FROM rows WHERE projection = ? AND key < ? ORDER BY key DESC LIMIT ?"
_BEGUN = "SELECT key FROM rows WHERE projection = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
_BETWEEN = (
    "SELECT key, body FROM rows WHERE projection = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
)
_HEAD = "SELECT body FROM snapshot WHERE job = ? AND part = 0"
_PARTS = (
    "SELECT job, part, body FROM snapshot WHERE (job, part) > (?, ?) ORDER BY job, part LIMIT ?"
)


class Checkpoint(msgspec.Struct, frozen=True):
    """How far the log is folded into the rows, and a mark there, to know the log again.

    `anchor` is an old mark, of the time when the rows began: a log that has it and not `mark` is
    the same log without its end. `skipped` names the types that were passed over as only a newer
    version of Lota knew them, or a field in them, and `shape` is that of the codec that did so.
    """

    mark: Mark
    anchor: Mark
    skipped: tuple[str, ...] = ()
    shape: str = ""

    @property
    def position(self) -> int:
        """The position of the last event that is folded into the rows."""
        return self.mark.position


class Snapshot(NamedTuple):
    """What changes about the snapshot: its parts that are new, and the jobs of which parts go.

    A job of which parts are new is among those that go, and so is the head.
    """

    parts: Sequence[Part]
    gone: Sequence[str]


class Store:
    """The rows of all projections, and the fold. `positions` says how far each projection is."""

    def __init__(
        self, path: Path, connection: aiosqlite.Connection, versions: Mapping[str, int]
    ) -> None:
        self.checkpoint: Checkpoint | None = None
        self.positions: dict[str, int] = {}
        self.path = path
        self.versions = versions
        self._connection = connection

    @classmethod
    async def open(cls, path: Path, versions: Mapping[str, int] = VERSIONS) -> Self:
        """Open the file, or begin one, for these projections; one that is there in another version
        begins anew, and one that is not named goes.

        Raises DatabaseUnusable.
        """
        connection = await open_database(path, KIND)
        store = cls(path, connection, versions)
        try:
            with naming(path, KIND):
                await store._begin()
        except BaseException:
            await connection.close()
            raise
        return store

    async def close(self) -> None:
        """Close the file; safe to repeat."""
        await self._connection.close()

    async def _begin(self) -> None:
        stored = await self._all("SELECT name, version, position FROM projections")
        known = {
            name: position
            for name, version, position in stored
            if self.versions.get(name) == version
        }
        self.positions = {name: known.get(name, 0) for name in self.versions}
        async with transaction(self._connection):
            await self._drop([name for name, *_ in stored if name not in known])
        for (body,) in await self._all("SELECT body FROM checkpoint"):
            self.checkpoint = msgspec.json.decode(body, type=Checkpoint)

    async def reset(self) -> None:
        """Drop all rows, the checkpoint and the snapshot: the log no longer has what made them."""
        with naming(self.path, KIND):
            async with transaction(self._connection):
                await self._drop(list(self.versions))
                await self._connection.execute("DELETE FROM checkpoint")
                await self._connection.execute("DELETE FROM snapshot")
        self.positions = dict.fromkeys(self.versions, 0)
        self.checkpoint = None

    async def _drop(self, projections: list[str]) -> None:
        await delete(self._connection, "DELETE FROM rows WHERE projection", (), projections)
        await delete(self._connection, "DELETE FROM projections WHERE name", (), projections)

    async def commit(
        self, changes: Sequence[Change], checkpoint: Checkpoint, snapshot: Snapshot | None = None
    ) -> None:
        """Write rows as they are at the checkpoint, the checkpoint, and what a snapshot that was
        taken there changes: all or nothing.

        A projection that has come further already keeps its rows. Raises DatabaseUnusable.
        """
        behind = {name for name, at in self.positions.items() if at < checkpoint.position}
        with naming(self.path, KIND):
            async with transaction(self._connection):
                for start in range(0, len(changes), WRITTEN):
                    part = changes[start : start + WRITTEN]
                    await self._write([change for change in part if change[0] in behind])
                await insert(
                    self._connection,
                    _PROJECTION,
                    [(name, self.versions[name], checkpoint.position) for name in sorted(behind)],
                )
                await insert(self._connection, _CHECKPOINT, [(1, msgspec.json.encode(checkpoint))])
                if snapshot is not None:
                    going = list(snapshot.gone)
                    await delete(self._connection, "DELETE FROM snapshot WHERE job", (), going)
                    for start in range(0, len(snapshot.parts), PARTS_AT_ONCE):
                        parts = snapshot.parts[start : start + PARTS_AT_ONCE]
                        await insert(self._connection, _PART, parts)
        self.positions |= dict.fromkeys(behind, checkpoint.position)
        self.checkpoint = checkpoint

    async def _write(self, changes: list[Change]) -> None:
        await insert(self._connection, _ROW, [change for change in changes if change[2]])
        gone: dict[str, list[str]] = {}
        for name, key, body in changes:
            if body is None:
                gone.setdefault(name, []).append(key)
        for name, keys in gone.items():
            await delete(self._connection, _GONE, (name,), keys)

    async def row(self, projection: str, key: str) -> bytes | None:
        """Return the body of a row, None when there is none."""
        with naming(self.path, KIND):
            found = await self._all(_ONE, projection, key)
        return bytes(found[0][0]) if found else None

    async def bodies(self, projection: str, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the bodies by key of those rows of a projection that are there."""
        wanted = list(keys)
        found: dict[str, bytes] = {}
        with naming(self.path, KIND):
            for start in range(0, len(wanted), FETCHED):
                part = wanted[start : start + FETCHED]
                marks = ",".join("?" * len(part))
                rows = await self._all(f"{_MANY} IN ({marks})", projection, *part)
                found |= {key: bytes(body) for key, body in rows}
        return found

    async def between(
        self, projection: str, first: str, end: str
    ) -> AsyncGenerator[list[tuple[str, bytes]], None]:
        """Yield key and body of the rows from one key on and before another, some at a time.

        Others get their turn of the loop in between.
        """
        with naming(self.path, KIND):
            while part := await self._all(_BETWEEN, projection, first, end, READ_AT_ONCE):
                yield [(key, bytes(body)) for key, body in part]
                first = f"{part[-1][0]} "

    async def first(self, projection: str, first: str, end: str) -> tuple[str, bytes] | None:
        """Return key and body of the first row from one key on and before another."""
        with naming(self.path, KIND):
            found = await self._all(_BETWEEN, projection, first, end, 1)
        return (found[0][0], bytes(found[0][1])) if found else None

    async def newest(self, projection: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        """Return key and body of the last rows whose keys come before one, the last of them first.

        All keys come before "~".
        """
        with naming(self.path, KIND):
            found = await self._all(_BACK, projection, before, limit)
        return [(key, bytes(body)) for key, body in found]

    async def keys(self, projection: str, beginning: str, limit: int) -> list[str]:
        """Return the first keys of a projection that begin so, in their order."""
        with naming(self.path, KIND):
            found = await self._all(_BEGUN, projection, beginning, f"{beginning}~", limit)
        return [key for (key,) in found]

    async def rows(self, projection: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield key and body of each row of a projection, in the order of the keys.

        What is written meanwhile may or may not be among them.
        """
        key = ""
        with naming(self.path, KIND):
            while part := await self._all(_NEXT, projection, key, FETCHED):
                for key, body in part:
                    yield key, bytes(body)

    async def drop_snapshot(self) -> None:
        """Remove the snapshot; the rows stay."""
        with naming(self.path, KIND):
            await self._connection.execute("DELETE FROM snapshot")

    async def head(self) -> bytes | None:
        """Return the head of the snapshot, None when there is no snapshot."""
        with naming(self.path, KIND):
            found = await self._all(_HEAD, HEAD)
        return bytes(found[0][0]) if found else None

    async def parts(self) -> AsyncIterator[Part]:
        """Yield the snapshot's parts but for its head, those of one job in their order."""
        job, number = HEAD, 0
        with naming(self.path, KIND):
            while found := await self._all(_PARTS, job, number, PARTS_AT_ONCE):
                for job, number, body in found:
                    yield Part(job, number, bytes(body))

    async def digest(self) -> str:
        """Return a hash over all rows: equal for stores that say the same."""
        total = hashlib.sha256()
        for projection in sorted(self.versions):
            async for key, body in self.rows(projection):
                total.update(msgspec.json.encode([projection, key, body]))
        return total.hexdigest()

    async def _all(self, query: str, *values: Any) -> list[Any]:
        async with self._connection.execute(query, values) as cursor:
            return list(await cursor.fetchall())
