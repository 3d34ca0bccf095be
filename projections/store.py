"""Where the read models are kept: one SQLite file, all rows and the checkpoint in one transaction.

All of it follows from the log, so whatever is wrong with the file, it may be deleted. A power
failure may cost the last commits; they are folded again.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec

from projections.database import Kind, delete, insert, naming, open_database, transaction
from projections.rows import VERSIONS, Change

FETCHED = 1_000
"""Rows that are in memory at one time while all are read."""
WRITTEN = 1_500
"""Changes that are sorted into rows and removals before others get a turn of the loop."""

KIND = Kind(
    name="a store of read models",
    application_id=0x4C4F5450,  # "LOTP"
    version=1,
    schema="""
        CREATE TABLE rows (
            projection TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
            PRIMARY KEY (projection, key)
        ) WITHOUT ROWID;
        CREATE TABLE projections (
            name TEXT PRIMARY KEY, version INTEGER NOT NULL, position INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE checkpoint (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL)
    """,
    sync="NORMAL",
    remedy="Delete it, with the -wal and -shm files beside it: it is built again from the log",
)

_ROW = "INSERT OR REPLACE INTO rows (projection, key, body)"
_GONE = "DELETE FROM rows WHERE projection = ? AND key"
_PROJECTION = "INSERT OR REPLACE INTO projections (name, version, position)"
_CHECKPOINT = "INSERT OR REPLACE INTO checkpoint (one, body)"
_ONE = "SELECT body FROM rows WHERE projection = ? AND key = ?"
_NEXT = "SELECT key, body FROM rows WHERE projection = ? AND key > ? ORDER BY key LIMIT ?"


class Checkpoint(msgspec.Struct, frozen=True):
    """How far the log is folded into the rows, and what it takes to go on from there.

    `low_water` is the position of the first event of the oldest job still open. `mark` is the
    sha256 of the message at `position`, to know the log again. `members` names the nodes in the
    order of the fold, and `nodes` is what it holds besides their rows. `skipped` names the types
    that were passed over as only a newer version of Lota knew them.
    """

    position: int
    low_water: int
    mark: str
    members: tuple[str, ...]
    nodes: bytes
    skipped: tuple[str, ...] = ()


class Store:
    """The rows of all projections. `positions` says how far each has come."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.checkpoint: Checkpoint | None = None
        self.positions: dict[str, int] = {}
        self._path = path
        self._connection = connection

    @classmethod
    async def open(cls, path: Path) -> "Store":
        """Open the file, or begin one; a projection of another version begins anew.

        Raises DatabaseUnusable.
        """
        connection = await open_database(path, KIND)
        store = cls(path, connection)
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
        known = {name: position for name, version, position in stored if _is_ours(name, version)}
        self.positions = {name: known.get(name, 0) for name in VERSIONS}
        async with transaction(self._connection):
            await self._drop([name for name, *_ in stored if name not in known])
        for (body,) in await self._all("SELECT body FROM checkpoint"):
            self.checkpoint = msgspec.json.decode(body, type=Checkpoint)

    async def reset(self) -> None:
        """Drop all rows and the checkpoint: they belong to another log."""
        with naming(self._path, KIND):
            async with transaction(self._connection):
                await self._drop(list(VERSIONS))
                await self._connection.execute("DELETE FROM checkpoint")
        self.positions = dict.fromkeys(VERSIONS, 0)
        self.checkpoint = None

    async def _drop(self, projections: list[str]) -> None:
        await delete(self._connection, "DELETE FROM rows WHERE projection", (), projections)
        await delete(self._connection, "DELETE FROM projections WHERE name", (), projections)

    async def commit(self, changes: Sequence[Change], checkpoint: Checkpoint) -> None:
        """Write rows as they are at the checkpoint, and the checkpoint, all or nothing.

        A projection that has come further already keeps its rows. Raises DatabaseUnusable.
        """
        behind = {name for name, at in self.positions.items() if at < checkpoint.position}
        with naming(self._path, KIND):
            async with transaction(self._connection):
                for start in range(0, len(changes), WRITTEN):
                    part = changes[start : start + WRITTEN]
                    await self._write([change for change in part if change[0] in behind])
                await insert(
                    self._connection,
                    _PROJECTION,
                    [(name, VERSIONS[name], checkpoint.position) for name in sorted(behind)],
                )
                await insert(self._connection, _CHECKPOINT, [(1, msgspec.json.encode(checkpoint))])
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
        with naming(self._path, KIND):
            found = await self._all(_ONE, projection, key)
        return bytes(found[0][0]) if found else None

    async def rows(self, projection: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield key and body of each row of a projection, in the order of the keys.

        What is written meanwhile may or may not be among them.
        """
        key = ""
        with naming(self._path, KIND):
            while part := await self._all(_NEXT, projection, key, FETCHED):
                for key, body in part:
                    yield key, bytes(body)

    async def digest(self) -> str:
        """Return a hash over all rows: equal for stores that say the same."""
        total = hashlib.sha256()
        for projection in sorted(VERSIONS):
            async for key, body in self.rows(projection):
                total.update(msgspec.json.encode([projection, key, body]))
        return total.hexdigest()

    async def _all(self, query: str, *values: Any) -> list[Any]:
        async with self._connection.execute(query, values) as cursor:
            return list(await cursor.fetchall())


def _is_ours(name: str, version: int) -> bool:
    return VERSIONS.get(name) == version
