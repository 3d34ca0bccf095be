"""Starts from a snapshot: what is folded then is what a fold from nothing gives, and little is."""

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from events.entry import Entry
from events.errors import AnotherLog
from events.log import Record
from events.memory import MemoryLog
from projections.network import Network
from projections.runner import Runner
from projections.snapshot import VERSION
from projections.store import Store
from tests.projections.conversation import Conversation
from tests.projections.evolution import log_of as log_of_network
from tests.projections.evolution import play
from tests.projections.live import Live
from tests.projections.story import extend, folded, log_of, story
from tests.simulation.dialects import TOMORROW

SEEDS = (3, 5, 1055)


def decisive(network: Network) -> dict[str, Any]:
    """Return all of a fold that decides anything, in its order.

    Whether a late event counts with its job or with the network depends on when the job is let go.
    """
    return {
        "position": network.position,
        "jobs": [job for job in network.jobs.values() if not job.closed],
        "nodes": network.nodes,
        "members": list(network.nodes.members),
        "retired": {*network.retired} | {job.id for job in network.jobs.values() if job.closed},
        "strays": list(network.strays.items()),
        "foreign": network.foreign,
        "foreign_kept": network.foreign_kept,
        "newer": network.newer,
    }


async def die(live: Live, chance: Random) -> None:
    """End a runner in good order, at once, or in the midst of writing."""
    how = chance.choice(("rest", "kill", "cut"))
    if how == "cut":
        flushing = asyncio.ensure_future(live.runner.flush(snapshot=chance.random() < 0.5))
        for _ in range(chance.randint(0, 30)):
            await asyncio.wait((flushing,), timeout=0)
        flushing.cancel()
        await asyncio.wait((flushing,))
    await live.kill()
    if how == "rest" or chance.random() < 0.3:
        await live.runner.rest()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("every", [1, 60, 100_000])
async def test_fold_survives_restarts(seed: int, every: int, tmp_path: Path) -> None:
    """However often and wherever a runner ends, its next life holds what a fold of all does."""
    records, log, at = story(seed), log_of(()), 0
    chance = Random(seed * every)
    while at < len(records):
        store = await Store.open(tmp_path / "live.db")
        live = Live(log, store, snapshot_every=every)
        await live.caught_up()
        assert decisive(live.runner.network) == decisive(folded(records[:at]))
        step = chance.randint(1, 150)
        extend(log, records[at : at + step])
        at = min(at + step, len(records))
        await live.reached(at)
        assert decisive(live.runner.network) == decisive(folded(records[:at]))
        if chance.random() < 0.5:
            await live.runner.flush()
        await die(live, chance)
        await store.close()


async def stopped(records: tuple[Record, ...], path: Path, *, snapshot: bool = True) -> None:
    """Leave a store behind in which so many messages are folded."""
    store = await Store.open(path)
    runner = Runner(log_of(records), store)
    runner.fold(list(records))
    await runner.flush(snapshot=snapshot)
    await store.close()


async def started(log: MemoryLog, path: Path) -> Live:
    """Start on a store, catch up, and end again; raise what makes the runner fail."""
    store = await Store.open(path)
    try:
        live = Live(log, store)
        await live.caught_up()
        await live.runner.flush()
        await live.kill()
    finally:
        await store.close()
    return live


async def test_restart_folds_what_came_since(tmp_path: Path) -> None:
    """A job that has been open since the beginning is not read again, only what came later is."""
    records = story(5)
    cut = len(records) // 2
    assert min(job.first for job in folded(records[:cut]).jobs.values()) < cut // 4
    await stopped(records[:cut], tmp_path / "a.db")
    live = await started(log_of(records), tmp_path / "a.db")

    assert live.entries[0].position == cut + 1
    assert decisive(live.runner.network) == decisive(folded(records))


async def test_restart_on_a_log_that_stands_still_is_at_once(tmp_path: Path) -> None:
    """After a stop in good order nothing is read again, and the open jobs are there."""
    records = story(5)[:200]
    await stopped(records, tmp_path / "a.db")
    live = await started(log_of(records), tmp_path / "a.db")

    assert live.entries == []
    assert decisive(live.runner.network) == decisive(folded(records))
    assert live.runner.network.jobs


async def test_what_a_newer_version_holds_stays_held(tmp_path: Path) -> None:
    """Jobs that an older version leaves alone it leaves alone after a restart, and tells again."""
    records = tuple(log_of_network(play(TOMORROW)))
    told = 0
    for cut in range(1, len(records) + 1):
        await stopped(records[:cut], tmp_path / f"{cut}.db")
        network = (await started(log_of(records[:cut]), tmp_path / f"{cut}.db")).runner.network
        expected = folded(records[:cut])
        held = [f"job {job.id}" for job in expected.jobs.values() if job.held]
        told += len(held)

        assert decisive(network) == decisive(expected)
        assert [name for name, _ in network.held] == held
    assert told


class Recorded(Conversation):
    """A story that is kept as a log."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        super().__init__()

    def fold(self, name: str, body: bytes) -> Entry | None:
        """Let any message be stored, folded, and kept."""
        self.log.append_now(name, body, id=f"{self.told}")
        return super().fold(name, body)


async def test_a_flush_that_is_cut_off_is_made_up_for(tmp_path: Path) -> None:
    """What a flush that did not end would have written is written by the next."""
    talk = Recorded()
    talk.submit()
    talk.plan(shards=1_000)
    talk.award(*((shard, 0, "n0") for shard in range(1_000)))
    records = tuple(talk.log.records())
    store = await Store.open(tmp_path / "a.db")
    runner = Runner(log_of(records), store)
    runner.fold(list(records))
    flushing = asyncio.ensure_future(runner.flush(snapshot=True))
    await asyncio.wait((flushing,), timeout=0)
    flushing.cancel()
    await asyncio.wait((flushing,))
    written = await store.row("jobs", records[-1].subject.split(".")[3])
    await runner.flush()
    cut_off = await store.digest()
    await store.close()
    await stopped(records, tmp_path / "b.db")
    store = await Store.open(tmp_path / "b.db")
    whole = await store.digest()
    await store.close()

    assert written is None
    assert cut_off == whole


async def test_nothing_is_folded_while_a_snapshot_is_taken(tmp_path: Path) -> None:
    """What comes while a large job is gone through is no part of its snapshot, nor lost."""
    talk = Recorded()
    talk.submit()
    talk.plan(shards=100_000)
    store = await Store.open(tmp_path / "a.db")
    live = Live(talk.log, store)
    await live.caught_up()
    await live.runner.flush()
    before = talk.network.position
    flushing = asyncio.ensure_future(live.runner.flush(snapshot=True))
    talk.award((99_999, 0, "n0"), (99_998, 0, "n1"))
    await flushing
    await live.reached(talk.network.position)
    await live.kill()
    await store.close()
    again = await started(talk.log, tmp_path / "a.db")

    assert [entry.position for entry in again.entries] == [before + 1]
    assert decisive(again.runner.network) == decisive(talk.network)


async def test_a_fold_that_broke_off_is_not_kept(tmp_path: Path) -> None:
    """A node that fails over an event leaves no fold behind that is ahead of its position."""
    records = story(5)[:150]
    store = await Store.open(tmp_path / "a.db")
    runner = Runner(log_of(records), store)
    runner.fold(list(records[:100]))
    unheard_of: Any = None
    with pytest.raises(TypeError):
        runner.fold([*records[100:120], Record(121, records[120].subject, unheard_of)])
    await runner.rest()
    await store.close()
    live = await started(log_of(records), tmp_path / "a.db")

    assert decisive(live.runner.network) == decisive(folded(records))


# What cannot be used


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(statement)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            f"""UPDATE snapshot SET body =
            CAST(replace(body, '"version":{VERSION}', '"version":1') AS BLOB) WHERE job = ''""",
            "another version",
        ),
        ("UPDATE snapshot SET body = x'7B7D' WHERE job = ''", "cannot be used"),
        ("UPDATE snapshot SET body = x'5B' WHERE job != ''", "cannot be used"),
        ("DELETE FROM snapshot WHERE job != ''", "cannot be used"),
        ("DELETE FROM snapshot WHERE part = 0 AND job != ''", "cannot be used"),
    ],
)
async def test_unusable_snapshot_is_dropped(
    statement: str, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A snapshot that is damaged or of another version is dropped, aloud; the log has all of it."""
    records = story(5)[:200]
    path = tmp_path / "a.db"
    await stopped(records, path)
    change(path, statement)
    with caplog.at_level(logging.WARNING):
        live = await started(log_of(records), path)
    with closing(sqlite3.connect(path)) as other:
        ((left,),) = other.execute("SELECT count(*) FROM snapshot")

    assert f"the snapshot in {path}" in caplog.text
    assert why in caplog.text
    assert decisive(live.runner.network) == decisive(folded(records))
    assert left == 0


async def test_projection_of_another_version_folds_all(tmp_path: Path) -> None:
    """Rows that begin anew need the whole log, whatever the snapshot could spare."""
    records = story(5)[:200]
    await stopped(records, tmp_path / "a.db")
    change(tmp_path / "a.db", "UPDATE projections SET version = 99 WHERE name = 'jobs'")
    live = await started(log_of(records), tmp_path / "a.db")

    assert len(live.entries) == 200
    assert decisive(live.runner.network) == decisive(folded(records))


# Another log


async def test_rows_of_another_log_are_refused(tmp_path: Path) -> None:
    """A store that follows another log, shorter or longer, is refused and left as it is."""
    mine = story(5)
    path = tmp_path / "a.db"
    await stopped(story(3)[:100], path)
    store = await Store.open(path)
    before = await store.digest()
    await store.close()
    with pytest.raises(AnotherLog) as longer:
        await started(log_of(mine), path)
    with pytest.raises(AnotherLog) as shorter:
        await started(log_of(mine[:40]), path)
    with pytest.raises(AnotherLog) as empty:
        await started(log_of(()), path)
    store = await Store.open(path)
    after = await store.digest()
    await store.close()

    for refused in (longer, shorter, empty):
        assert refused.value.what.startswith(f"{path} belongs to another log: ")
        assert "event 100 (" in refused.value.what
        assert "delete the file" in refused.value.hint
    assert "ends at event 40" in shorter.value.what
    assert "ends at event 0" in empty.value.what
    assert before == after


async def test_log_without_its_end_is_folded_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same log, put back from an older backup, is known by its beginning and folded again."""
    records = story(5)
    path = tmp_path / "a.db"
    await stopped(records[:50], path)
    store = await Store.open(path)
    live = Live(log_of(records[:250]), store)
    await live.caught_up()
    await live.kill()
    await live.runner.rest()
    await store.close()
    with caplog.at_level(logging.WARNING):
        live = await started(log_of(records[:150]), path)

    assert "is built anew: the log has lost its event 250 (" in caplog.text
    assert live.entries[0].position == 1
    assert decisive(live.runner.network) == decisive(folded(records[:150]))
