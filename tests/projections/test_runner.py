"""The runner and its store: whatever interrupts them, the rows are those of the log."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest

from events.codec import PRESENT
from events.entry import Entry
from events.errors import DatabaseUnusable
from events.log import Base, Record
from events.memory import MemoryLog
from projections.base import encode_base
from projections.network import Network
from projections.rebuilding import rebuild
from projections.runner import Runner
from projections.state import Job
from projections.store import Store
from tests.projections.evolution import log_of as log_of_network
from tests.projections.evolution import play
from tests.projections.live import Live
from tests.projections.story import extend, folded, log_of, story
from tests.simulation.dialects import TOMORROW

SEEDS = (3, 5, 1055)


async def digest_of(path: Path) -> str:
    store = await Store.open(path)
    try:
        return await store.digest()
    finally:
        await store.close()


async def rebuilt(records: tuple[Record, ...], folder: Path) -> str:
    await rebuild(log_of(records), folder / "rebuilt.db")
    return await digest_of(folder / "rebuilt.db")


@pytest.mark.parametrize("seed", SEEDS)
async def test_live_rows_equal_rebuilt_ones(seed: int, tmp_path: Path) -> None:
    """A store that followed the log holds, to the byte, the rows of one built from it."""
    records = story(seed)
    log = log_of(())
    store = await Store.open(tmp_path / "live.db")
    live = Live(log, store)
    chance = Random(seed)
    at = 0
    while at < len(records):
        step = chance.randint(1, 40)
        extend(log, records[at : at + step])
        at = min(at + step, len(records))
        await live.reached(at)
        if chance.random() < 0.3:
            await live.runner.flush()
    await live.runner.flush()
    await live.kill()
    digest = await store.digest()
    await store.close()

    assert digest == await rebuilt(records, tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
async def test_rows_survive_being_killed(seed: int, tmp_path: Path) -> None:
    """However often a runner dies, wherever it is in folding and writing, rows come out right."""
    records = story(seed)
    chance = Random(seed)
    log = log_of(())
    at = 0
    while at < len(records):
        store = await Store.open(tmp_path / "live.db")
        live = Live(log, store)
        await live.caught_up()
        step = chance.randint(1, 120)
        extend(log, records[at : at + step])
        at = min(at + step, len(records))
        if chance.random() < 0.5:
            await live.reached(at)
        flushing = asyncio.ensure_future(live.runner.flush())
        for _ in range(chance.randint(0, 30)):
            await asyncio.wait((flushing,), timeout=0)
        flushing.cancel()
        await asyncio.wait((flushing,))
        await live.kill()
        await store.close()
    store = await Store.open(tmp_path / "live.db")
    live = Live(log, store)
    await live.caught_up()
    await live.runner.flush()
    await live.kill()
    digest = await store.digest()
    await store.close()

    assert digest == await rebuilt(records, tmp_path)


async def test_closed_jobs_leave_the_fold(tmp_path: Path) -> None:
    """A closed job is in memory until its rows are written, and no longer."""
    records = story(5)
    store = await Store.open(tmp_path / "live.db")
    runner = Runner(log_of(records), store)
    runner.fold(list(records))
    closed = [name for name, job in runner.network.jobs.items() if job.closed]
    await runner.flush()
    kept = [name for name in closed if await store.row("jobs", name) is not None]
    await store.close()

    assert closed == kept
    assert not runner.network.jobs


async def test_empty_log_is_caught_up_with(tmp_path: Path) -> None:
    """Whoever follows an empty log is told at once that nothing is missing."""
    store = await Store.open(tmp_path / "live.db")
    live = Live(log_of(()), store)
    await live.caught_up()
    await live.kill()
    await store.close()

    assert live.entries == []


async def test_failure_to_write_ends_the_runner(tmp_path: Path) -> None:
    """A store that cannot be written to is an error of `run`, not a silence."""
    store = await Store.open(tmp_path / "live.db")
    with closing(sqlite3.connect(tmp_path / "live.db")) as intruder:
        intruder.execute("DROP TABLE rows")
    live = Live(log_of(story(5)), store)

    with pytest.raises(DatabaseUnusable, match="live"):
        await live._task
    await store.close()


async def test_failing_callback_ends_the_runner(tmp_path: Path) -> None:
    """What `on_batch` raises comes out of `run`."""
    store = await Store.open(tmp_path / "live.db")

    def fail(entries: list[Entry], caught_up: bool) -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError):
        await Runner(log_of(story(5)), store).run(fail)
    await store.close()


async def test_rebuild_replaces(tmp_path: Path) -> None:
    """A store is rebuilt in place, whatever stood there and whatever an earlier try left behind."""
    records = story(5)
    for name in ("a.db", "a.db-wal", "a.db.new", "a.db.new-wal"):
        (tmp_path / name).write_bytes(b"rubbish")
    await rebuild(log_of(records), tmp_path / "a.db")

    assert await digest_of(tmp_path / "a.db") == await rebuilt(records, tmp_path)
    assert not list(tmp_path.glob("*.new*"))


async def test_what_was_skipped_is_folded_once_it_is_known(tmp_path: Path) -> None:
    """A version that knows what an older one skipped builds the read models anew, and no other."""
    records = tuple(log_of_network(play(TOMORROW)))
    store = await Store.open(tmp_path / "rows.db")
    older = Runner(log_of(records), store)
    older.fold(list(records))
    await older.flush()
    lacking = await store.digest()
    assert store.checkpoint is not None
    assert "lota.shards.awarded.v2" in store.checkpoint.skipped

    for codec in (PRESENT, TOMORROW.codec):
        live = Live(log_of(records), store, codec=codec)
        await live.caught_up()
        await live.runner.flush()
        await live.kill()
        assert (await store.digest() == lacking) == (codec is PRESENT)
    assert store.checkpoint.skipped == ()
    await store.close()


def with_a_newer_spec(record: Record) -> Record:
    """Return a submission with a wish in its spec that only a newer version knows."""
    if not record.subject.endswith(".job.submitted"):
        return record
    document = msgspec.json.decode(record.body)
    document["data"]["spec"]["gpus"] = 1
    return Record(record.position, record.subject, msgspec.json.encode(document))


async def test_a_field_that_is_not_known_costs_no_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a start skipped, of a type that it knows, the next start of that version skips too."""
    records = tuple(map(with_a_newer_spec, story(5)[:200]))
    store = await Store.open(tmp_path / "rows.db")
    runner = Runner(log_of(records), store)
    runner.fold(list(records))
    await runner.flush(snapshot=True)
    same = Live(log_of(records), store)
    await same.caught_up()
    await same.kill()
    told = caplog.text
    newer = Live(log_of(records), store, codec=TOMORROW.codec)
    await newer.caught_up()
    await newer.kill()
    await store.close()

    assert "read models lack" not in told
    assert same.entries == []
    assert "read models lack lota.job.submitted.v1" in caplog.text
    assert newer.entries


def open_jobs(network: Network) -> dict[str, Job]:
    return {name: job for name, job in network.jobs.items() if not job.closed}


def archived(records: tuple[Record, ...], cut: int) -> MemoryLog:
    """Return a log that holds these messages and whose first ones were archived."""
    log = log_of(records)
    log.archive(Base(cut, encode_base(folded(records[:cut]))))
    return log


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_start_from_nothing_begins_at_the_base(seed: int, tmp_path: Path) -> None:
    """Of a log whose beginning was archived a new store comes to know every node and open job."""
    records = story(seed)
    for cut in Random(seed).sample(range(1, len(records) - 1), 4):
        store = await Store.open(tmp_path / f"{cut}.db")
        live = Live(archived(records, cut), store)
        await live.caught_up()
        await live.runner.flush()
        await live.kill()
        nodes = [name async for name, _ in store.rows("nodes")]
        await store.close()

        expected = folded(records)
        expected.nodes.fence = live.runner.network.nodes.fence
        assert live.runner.network.nodes == expected.nodes
        assert {
            name: job for name, job in live.runner.network.jobs.items() if not job.closed
        } == expected.jobs
        assert nodes == sorted(expected.nodes.members)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_restart_behind_an_archive(seed: int, tmp_path: Path) -> None:
    """Wherever the checkpoint and the cut are, a restart comes to know what is true now."""
    records = story(seed)
    random = Random(seed)
    for number in range(8):
        cut, stopped = random.sample(range(1, len(records) - 1), 2)
        path = tmp_path / f"{number}.db"
        store = await Store.open(path)
        first = Runner(log_of(records[:stopped]), store)
        first.fold(list(records[:stopped]))
        await first.flush()
        await store.close()
        store = await Store.open(path)
        live = Live(archived(records, cut), store)
        await live.caught_up()
        await live.runner.flush()
        await live.kill()
        await store.close()

        expected = folded(records)
        live.runner.network.nodes.fence = expected.nodes.fence
        assert live.runner.network.nodes == expected.nodes
        assert {
            name: job for name, job in live.runner.network.jobs.items() if not job.closed
        } == expected.jobs
