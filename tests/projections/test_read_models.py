"""Read models beside a runner's own: rows that are added to, and a state that no row holds."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from events.entry import Entry
from events.log import Base, Record
from events.memory import MemoryLog
from projections.base import encode_base
from projections.network import Network
from projections.read_model import Row, versions_with
from projections.rebuilding import rebuild
from projections.rows import Change
from projections.runner import Runner
from projections.store import Checkpoint, Snapshot, Store
from tests.projections.live import Live, many_lives
from tests.projections.story import extend, folded, log_of, story

SEEDS = (3, 5, 1055)
PER_ROW = 50
"""Positions that are counted in one row."""


class Pairs:
    """Counts which type comes behind which: rows are added to, and the last type is in none."""

    name = "pairs"

    def __init__(self, version: int = 1) -> None:
        self.version = version
        self.begun = 0
        self.told: list[int] = []
        self._last = ""
        self._counts: Counter[tuple[int, str]] = Counter()

    @property
    def pending(self) -> int:
        return len(self._counts)

    def begin(self, network: Network) -> None:
        self.begun += 1
        self._last = f"base of {len(network.nodes.members)}"
        self._counts.clear()

    def restore(self, state: bytes, network: Network) -> None:
        self._last = msgspec.json.decode(state, type=str)
        self._counts.clear()

    def note(self, record: Record, entry: Entry | None, network: Network, *, stored: bool) -> None:
        kind = entry.address.kind if entry is not None else "foreign"
        if not stored:
            self.told.append(record.position)
            self._counts[record.position // PER_ROW, f"{self._last}>{kind}"] += 1
        self._last = kind

    def take(self) -> Counter[tuple[int, str]]:
        taken, self._counts = self._counts, Counter()
        return taken

    def reads(self, taken: Counter[tuple[int, str]]) -> set[str]:
        return {str(row) for row, _ in taken}

    def rows(self, taken: Counter[tuple[int, str]], stored: Mapping[str, bytes]) -> Iterator[Row]:
        for key in sorted(self.reads(taken)):
            row = Counter(msgspec.json.decode(stored.get(key, b"{}"), type=dict[str, int]))
            row.update({pair: count for (of, pair), count in taken.items() if str(of) == key})
            yield key, msgspec.json.encode(dict(sorted(row.items())))

    def give_back(self, taken: Counter[tuple[int, str]]) -> None:
        self._counts.update(taken)

    def state(self) -> bytes:
        return msgspec.json.encode(self._last)


async def opened(path: Path, model: Pairs | None) -> Store:
    return await Store.open(path, versions_with([model] if model is not None else []))


async def rebuilt(log: MemoryLog, folder: Path) -> str:
    await rebuild(log, folder / "rebuilt.db", [Pairs()])
    store = await opened(folder / "rebuilt.db", Pairs())
    try:
        return await store.digest()
    finally:
        await store.close()


def _pairs() -> list[Pairs]:
    return [Pairs()]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("every", [1, 60, 100_000])
async def test_nothing_is_counted_twice(seed: int, every: int, tmp_path: Path) -> None:
    """However often a runner dies, wherever it is, its rows are those of one that never did."""
    records, log = story(seed), log_of(())
    path = tmp_path / "live.db"
    await many_lives(
        log, records, Random(seed * every), every, lambda: opened(path, Pairs()), _pairs
    )
    store = await opened(path, Pairs())
    digest = await store.digest()
    await store.close()

    assert digest == await rebuilt(log, tmp_path)


class Lingering(Store):
    """A store that says when it has committed, and returns when it may."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.committed = asyncio.Event()
        self.released = asyncio.Event()

    async def commit(
        self, changes: Sequence[Change], checkpoint: Checkpoint, snapshot: Snapshot | None = None
    ) -> None:
        await super().commit(changes, checkpoint, snapshot)
        self.committed.set()
        await self.released.wait()


async def test_a_flush_that_is_cut_off_knows_what_it_wrote(tmp_path: Path) -> None:
    """What was written when its flush was cancelled is not written once more by the next."""
    records = story(5)
    log = log_of(records)
    store = await Lingering.open(tmp_path / "live.db", versions_with([Pairs()]))
    model = Pairs()
    model.begin(Network())
    runner = Runner(log, store, models=[model])
    runner.fold(list(records[:100]))
    flushing = asyncio.ensure_future(runner.flush())
    await store.committed.wait()
    flushing.cancel()
    store.released.set()
    await asyncio.wait((flushing,))
    runner.fold(list(records[100:]))
    await runner.flush()
    digest = await store.digest()
    await store.close()

    assert flushing.cancelled()
    assert digest == await rebuilt(log, tmp_path)


async def lived(log: MemoryLog, path: Path, model: Pairs | None, *, rest: bool = True) -> str:
    """Follow a log to its end, stop in good order, and return the digest of the store."""
    store = await opened(path, model)
    models = [model] if model is not None else []
    live = Live(log, store, snapshot_every=100, models=models)
    await live.caught_up()
    await live.runner.flush()
    await live.kill()
    if rest:
        await live.runner.rest()
    digest = await store.digest()
    await store.close()
    return digest


async def test_another_version_is_built_anew(tmp_path: Path) -> None:
    """A model of a new version counts from the log's beginning, also beside rows that stay."""
    log = log_of(story(5))
    before = await lived(log, tmp_path / "a.db", Pairs())
    newer = Pairs(version=2)
    after = await lived(log, tmp_path / "a.db", newer)

    assert before == after
    assert newer.told == list(range(1, await log.last() + 1))


async def test_a_model_comes_and_goes(tmp_path: Path) -> None:
    """A store takes up a model that it did not have, and lets go of one that is not kept."""
    log = log_of(story(5))
    without = await lived(log, tmp_path / "a.db", None)
    having = await lived(log, tmp_path / "a.db", Pairs())

    assert having == await rebuilt(log, tmp_path)
    assert await lived(log, tmp_path / "a.db", None) == without
    assert await lived(log, tmp_path / "a.db", Pairs()) == having


async def test_a_start_tells_what_came_since(tmp_path: Path) -> None:
    """After a stop in good order a model goes on from its state, and is told what is new."""
    records = story(5)
    log = log_of(records[:200])
    await lived(log, tmp_path / "a.db", Pairs())
    extend(log, records[200:])
    model = Pairs()
    await lived(log, tmp_path / "a.db", model)

    assert not model.begun
    assert model.told == list(range(201, len(records) + 1))


async def test_a_state_that_cannot_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A state that its model refuses costs a fold of the whole log, and no wrong row."""
    log = log_of(story(5))
    right = await lived(log, tmp_path / "a.db", Pairs())
    model = Pairs()
    store = await opened(tmp_path / "a.db", model)
    await store._connection.execute("UPDATE snapshot SET body = ? WHERE part = 1", (b'{"x":[]}',))
    await store.close()
    with caplog.at_level(logging.WARNING):
        digest = await lived(log, tmp_path / "a.db", model)

    assert digest == right
    assert model.begun == 1
    assert "cannot be used" in caplog.text


async def test_a_model_begins_with_the_base(tmp_path: Path) -> None:
    """Of a log whose beginning was archived, a model is told what stood before it."""
    records = story(5)
    log = log_of(records)
    log.archive(Base(150, encode_base(folded(records[:150]))))
    model = Pairs()
    await lived(log, tmp_path / "a.db", model)
    members = len(folded(records[:150]).nodes.members)

    assert model.told[0] == 151
    store = await opened(tmp_path / "a.db", model)
    row = await store.row("pairs", str(151 // PER_ROW))
    await store.close()
    assert row is not None
    assert any(pair.startswith(f"base of {members}>") for pair in msgspec.json.decode(row))
