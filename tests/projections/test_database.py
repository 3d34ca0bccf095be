"""Database files: what is not ours is refused, what is ours is kept private and whole."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from events.errors import DatabaseUnusable
from projections.database import Kind, delete, insert, open_database, transaction

KIND = Kind(
    name="a shelf",
    application_id=77,
    version=2,
    schema="CREATE TABLE things (key TEXT PRIMARY KEY, size INTEGER)",
    sync="NORMAL",
    remedy="Throw it away",
)


async def count(path: Path) -> int:
    connection = await open_database(path, KIND)
    async with connection.execute("SELECT count(*) FROM things") as cursor:
        ((found,),) = await cursor.fetchall()
    await connection.close()
    return int(found)


async def test_file_is_private(tmp_path: Path) -> None:
    """The file and its journal are readable to their owner alone."""
    connection = await open_database(tmp_path / "a.db", KIND)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    await connection.close()

    assert modes == {0o600}


async def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    """The schema is made once."""
    connection = await open_database(tmp_path / "a.db", KIND)
    await insert(connection, "INSERT INTO things", [("a", 1)])
    await connection.close()

    assert await count(tmp_path / "a.db") == 1


@pytest.mark.parametrize("content", [b"not a database at all", b"x" * 5000])
async def test_rubbish_is_refused(content: bytes, tmp_path: Path) -> None:
    """A file that is no database is refused by name, with what to do, and left as it is."""
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(DatabaseUnusable) as refused:
        await open_database(path, KIND)

    assert str(path) in str(refused.value)
    assert refused.value.hint == "Throw it away"
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE recipes (name TEXT)",
        "CREATE TABLE things (key TEXT); PRAGMA application_id=78; PRAGMA user_version=2",
        "PRAGMA user_version=2",
    ],
)
async def test_foreign_database_is_refused(script: str, tmp_path: Path) -> None:
    """A database of another program is refused and not written to."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as other:
        other.executescript(script)
    before = path.read_bytes()
    with pytest.raises(DatabaseUnusable, match="is not a shelf"):
        await open_database(path, KIND)

    assert path.read_bytes() == before


async def test_newer_version_is_refused(tmp_path: Path) -> None:
    """A file that a newer version wrote is not touched by an older one."""
    await (await open_database(tmp_path / "a.db", KIND._replace(version=3))).close()

    with pytest.raises(DatabaseUnusable, match="newer version"):
        await open_database(tmp_path / "a.db", KIND)


async def test_damage_is_refused(tmp_path: Path) -> None:
    """Pages that were overwritten are noticed and named when they are read."""
    path = tmp_path / "a.db"
    await (await open_database(path, KIND)).close()
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))

    with pytest.raises(DatabaseUnusable, match="damaged"):
        await open_database(path, KIND)


async def test_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """A path that cannot be opened is an error of its own, not a traceback."""
    with pytest.raises(DatabaseUnusable, match="missing"):
        await open_database(tmp_path / "missing" / "a.db", KIND)


@pytest.mark.parametrize("rows", [0, 1, 499, 500, 501, 1500])
async def test_rows_go_in_and_out_in_parts(rows: int, tmp_path: Path) -> None:
    """Any number of rows is inserted and deleted, each once."""
    connection = await open_database(tmp_path / "a.db", KIND)
    await insert(connection, "INSERT INTO things", [(f"{n}", n) for n in range(rows)])
    kept = [("kept", 1)]
    await insert(connection, "INSERT INTO things", kept)
    keys = [f"{n}" for n in range(rows)]
    await delete(connection, "DELETE FROM things WHERE size >= ? AND key", (0,), keys)
    async with connection.execute("SELECT key, size FROM things") as cursor:
        left = list(await cursor.fetchall())
    await connection.close()

    assert left == kept


async def test_cancelled_transaction_leaves_nothing(tmp_path: Path) -> None:
    """A transaction that is cancelled inside changes nothing and does not stay open."""
    connection = await open_database(tmp_path / "a.db", KIND)
    inside = asyncio.Event()

    async def write() -> None:
        async with transaction(connection):
            await insert(connection, "INSERT INTO things", [("a", 1)])
            inside.set()
            await asyncio.Event().wait()

    writing = asyncio.ensure_future(write())
    await inside.wait()
    writing.cancel()
    await asyncio.wait((writing,))
    async with transaction(connection):
        await insert(connection, "INSERT INTO things", [("b", 1)])
    await connection.close()

    assert await count(tmp_path / "a.db") == 1
