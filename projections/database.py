"""SQLite files that belong to Lota: opened with our settings, recognised as ours, refused clearly.

A file carries an application id and a schema version, so that a foreign file, a damaged one and
one from a newer version are each told apart before anything is read from it or written to it.

Rows go in as one statement with many values. A thread that steps through rows one by one gives the
interpreter back to a busy event loop after each of them, and gets it again milliseconds later.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import aiosqlite

from events.errors import DatabaseDamaged, DatabaseUnusable

ROWS_PER_STATEMENT = 500
BUSY_MS = 5_000


class Kind(NamedTuple):
    """A kind of file: what it is called, the id in its header, its version and its tables.

    `sync` is NORMAL when a power failure may cost the last commits, FULL when it may not; the
    death of the process costs nothing either way. `remedy` tells the reader of an error what to
    do about a file that cannot be used.
    """

    name: str
    application_id: int
    version: int
    schema: str
    sync: Literal["NORMAL", "FULL"]
    remedy: str


async def open_database(path: Path, kind: Kind) -> aiosqlite.Connection:
    """Open or make the file, readable to its owner alone.

    Statements commit by themselves outside of `transaction`. Raises DatabaseUnusable.
    """
    with naming(path, kind):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        # A statement is as long as its rows are many: few are met twice, so few are kept.
        connection = await aiosqlite.connect(path, isolation_level=None, cached_statements=16)
    try:
        with naming(path, kind):
            await _prepare(connection, path, kind)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _prepare(connection: aiosqlite.Connection, path: Path, kind: Kind) -> None:
    await connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    application_id = await _number(connection, "PRAGMA application_id")
    version = await _number(connection, "PRAGMA user_version")
    tables = await _number(connection, "SELECT count(*) FROM sqlite_schema")
    if (application_id or version or tables) and application_id != kind.application_id:
        raise DatabaseUnusable(f"{path} is not {kind.name} of Lota", hint=kind.remedy)
    if version > kind.version:
        raise DatabaseUnusable(
            f"{path} was written by a newer version of Lota", hint="Use that version"
        )
    await connection.execute("PRAGMA journal_mode=WAL")
    await connection.execute(f"PRAGMA synchronous={kind.sync}")
    if version < kind.version:
        await connection.executescript(
            f"BEGIN IMMEDIATE; {kind.schema}; PRAGMA application_id={kind.application_id};"
            f"PRAGMA user_version={kind.version}; COMMIT;"
        )


@contextmanager
def naming(path: Path, kind: Kind) -> Iterator[None]:
    """Turn what SQLite and the system say about a file into DatabaseUnusable, with its name."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise DatabaseUnusable(
            f"{path} cannot be used: {error}", hint="Check its disk, its rights and who has it open"
        ) from error
    except sqlite3.DatabaseError as error:
        raise DatabaseDamaged(f"{path} is damaged: {error}", hint=kind.remedy) from error
    except OSError as error:
        raise DatabaseUnusable(
            f"{path} cannot be opened: {error.strerror}", hint="Check the folder and its rights"
        ) from error


@asynccontextmanager
async def transaction(connection: aiosqlite.Connection) -> AsyncIterator[None]:
    """Commit what the block does, all or nothing; also when the block is cancelled."""
    try:
        await connection.execute("BEGIN IMMEDIATE")
        yield
        await connection.commit()
    except BaseException:
        await connection.rollback()
        raise


async def insert(
    connection: aiosqlite.Connection, head: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows of equal width; `head` is the statement up to and without `VALUES`."""
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        part = rows[start : start + ROWS_PER_STATEMENT]
        marks = f"({','.join('?' * len(part[0]))})"
        await connection.execute(
            f"{head} VALUES {','.join([marks] * len(part))}", tuple(chain.from_iterable(part))
        )


async def delete(
    connection: aiosqlite.Connection, head: str, first: tuple[Any, ...], keys: Sequence[str]
) -> None:
    """Delete rows by key; `head` is the statement up to `IN`, and `first` fills its own marks."""
    for start in range(0, len(keys), ROWS_PER_STATEMENT):
        part = keys[start : start + ROWS_PER_STATEMENT]
        await connection.execute(f"{head} IN ({','.join('?' * len(part))})", (*first, *part))


async def _number(connection: aiosqlite.Connection, query: str) -> int:
    async with connection.execute(query) as cursor:
        row = await cursor.fetchone()
    return int(row[0]) if row is not None else 0
