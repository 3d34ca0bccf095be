"""The store of read models: rows and checkpoint together, nothing twice, versions apart."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from events.marks import Mark
from projections.rows import VERSIONS
from projections.store import Checkpoint, Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "projections.db"


def at(position: int) -> Checkpoint:
    return Checkpoint(mark=Mark(position, "m"), anchor=Mark(1, "a"))


async def keys(store: Store, projection: str) -> list[str]:
    return [key async for key, _ in store.rows(projection)]


async def test_rows_and_checkpoint_are_kept(path: Path) -> None:
    """What was committed is there when the store is opened again."""
    store = await Store.open(path)
    await store.commit([("jobs", "b", b"2"), ("jobs", "a", b"1"), ("nodes", "n", b"3")], at(7))
    await store.close()
    store = await Store.open(path)
    jobs = [row async for row in store.rows("jobs")]
    node = await store.row("nodes", "n")
    await store.close()

    assert jobs == [("a", b"1"), ("b", b"2")]
    assert node == b"3"
    assert store.checkpoint == at(7)
    assert set(store.positions.values()) == {7}


async def test_later_commit_replaces_and_removes(path: Path) -> None:
    """A later body replaces the row, and no body removes it, also one that was never there."""
    store = await Store.open(path)
    await store.commit([("jobs", "a", b"1"), ("publication", "a/0/0", b"1")], at(1))
    changes = [("jobs", "a", b"2"), ("publication", "a/0/0", None), ("verification", "x", None)]
    await store.commit(changes, at(2))
    left = [await keys(store, name) for name in VERSIONS]
    job = await store.row("jobs", "a")
    await store.close()

    assert left == [["a"], [], [], [], []]
    assert job == b"2"


@pytest.mark.parametrize("position", [6, 7])
async def test_known_positions_are_ignored(position: int, path: Path) -> None:
    """Rows from a position at or below the checkpoint are old and change nothing."""
    store = await Store.open(path)
    await store.commit([("jobs", "a", b"new")], at(7))
    await store.commit([("jobs", "a", b"old"), ("jobs", "b", b"old")], at(position))
    job, other = await store.row("jobs", "a"), await store.row("jobs", "b")
    await store.close()

    assert (job, other) == (b"new", None)


async def test_projection_of_another_version_begins_anew(path: Path) -> None:
    """A projection whose version differs is dropped, and then takes rows that the others ignore."""
    store = await Store.open(path)
    await store.commit([("jobs", "a", b"1"), ("nodes", "n", b"1")], at(7))
    await store.close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE projections SET version = 99 WHERE name = 'nodes'")
    store = await Store.open(path)
    dropped = await keys(store, "nodes")
    positions = dict(store.positions)
    await store.commit([("jobs", "a", b"2"), ("nodes", "n", b"2")], at(5))
    job, node = await store.row("jobs", "a"), await store.row("nodes", "n")
    await store.close()

    assert dropped == []
    assert positions == {**dict.fromkeys(VERSIONS, 7), "nodes": 0}
    assert (job, node) == (b"1", b"2")


async def test_projection_that_is_gone_is_dropped(path: Path) -> None:
    """Rows of a projection that this version does not have are removed."""
    await (await Store.open(path)).close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO projections VALUES ('fashions', 1, 7)")
        other.execute("INSERT INTO rows VALUES ('fashions', 'k', x'00')")
    await (await Store.open(path)).close()
    with closing(sqlite3.connect(path)) as other:
        left = other.execute("SELECT count(*) FROM rows").fetchone()

    assert left == (0,)


async def test_reset_forgets_everything(path: Path) -> None:
    """A store that was reset is as good as new, also after it was closed."""
    store = await Store.open(path)
    empty = await store.digest()
    await store.commit([("jobs", "a", b"1")], at(7))
    await store.reset()
    await store.close()
    store = await Store.open(path)
    digest = await store.digest()
    await store.close()

    assert digest == empty
    assert store.checkpoint is None
    assert set(store.positions.values()) == {0}


async def test_digest_is_of_the_rows_alone(path: Path, tmp_path: Path) -> None:
    """Two stores with the same rows have one digest, however the rows came there."""
    one, other = await Store.open(path), await Store.open(tmp_path / "other.db")
    await one.commit([("jobs", "a", b"1"), ("jobs", "b", b"2")], at(7))
    await other.commit([("jobs", "b", b"3")], at(3))
    before = await other.digest()
    await other.commit([("jobs", "b", b"2"), ("jobs", "a", b"1")], at(9))
    digests = [await one.digest(), await other.digest()]
    await one.close()
    await other.close()

    assert digests[0] == digests[1] != before


async def test_many_rows_are_read_in_order(path: Path) -> None:
    """All rows of a projection are read, in the order of their keys, however many there are."""
    store = await Store.open(path)
    wanted = [f"{number:05}" for number in range(2500)]
    body = msgspec.json.encode("x")
    await store.commit([("executions", key, body) for key in reversed(wanted)], at(1))
    read = await keys(store, "executions")
    await store.close()

    assert read == wanted
