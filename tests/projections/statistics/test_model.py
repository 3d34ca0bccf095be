"""The read model in its store: whatever interrupts it, the rows are those of the log."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import msgspec
import pytest

from events.log import Base, Record
from events.memory import MemoryLog
from events.times import parse_ms, rfc3339
from projections.base import encode_base
from projections.network import Network
from projections.read_model import versions_with
from projections.rebuilding import rebuild
from projections.statistics.bucket import Bucket, decode
from projections.statistics.levels import EVER, key
from projections.statistics.model import NAME, Statistics
from projections.store import Store
from tests.projections.live import Live, many_lives
from tests.projections.statistics.counted import Oracle, count
from tests.projections.story import extend, folded, log_of, story

SEEDS = (3, 5, 1055)
SLOWER = 6_000
"""A story of two minutes takes days: each kind of bucket comes to its end."""
VERSIONS = versions_with([Statistics()])


@cache
def slow(seed: int) -> tuple[Record, ...]:
    """Return a story in which everything takes long."""
    records = story(seed)
    begin_ms = parse_ms(msgspec.json.decode(records[0].body)["time"])

    def slower(record: Record) -> Record:
        try:
            document = msgspec.json.decode(record.body)
            after_ms = parse_ms(document["time"]) - begin_ms
        except (msgspec.DecodeError, UnicodeDecodeError, LookupError):
            return record
        document["time"] = rfc3339(begin_ms + after_ms * SLOWER)
        return Record(record.position, record.subject, msgspec.json.encode(document))

    return tuple(map(slower, records))


async def opened(folder: Path, name: str = "live.db") -> Store:
    return await Store.open(folder / name, VERSIONS)


async def rebuilt(log: MemoryLog, folder: Path) -> str:
    await rebuild(log, folder / "rebuilt.db", [Statistics()])
    store = await opened(folder, "rebuilt.db")
    try:
        return await store.digest()
    finally:
        await store.close()


async def rows_of(store: Store) -> dict[str, Bucket]:
    return {key: decode(body) async for key, body in store.rows(NAME)}


@pytest.mark.parametrize("told", [story, slow])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("every", [1, 60, 100_000])
async def test_nothing_is_counted_twice(
    told: Callable[[int], tuple[Record, ...]], seed: int, every: int, tmp_path: Path
) -> None:
    """However often a runner dies, wherever it is, the rows are those of one that never did."""
    records, log = told(seed), log_of(())
    chance = Random(seed * every)
    await many_lives(log, records, chance, every, lambda: opened(tmp_path), lambda: [Statistics()])
    store = await opened(tmp_path)
    digest, rows = await store.digest(), await rows_of(store)
    await store.close()

    assert digest == await rebuilt(log, tmp_path)
    assert rows[key(EVER, 0)].counts == Oracle(records).counts()


async def test_cut_off_at_each_step(tmp_path: Path) -> None:
    """A flush that dies after so many turns of the loop, for each number of them, loses nothing."""
    records, log = slow(1055), log_of(())
    for turns in range(50):
        store = await opened(tmp_path)
        live = Live(log, store, snapshot_every=20, models=[Statistics()])
        await live.caught_up()
        extend(log, records[turns * 5 : turns * 5 + 5])
        await live.reached(await log.last())
        await live.cut_off(turns)
        await live.kill()
        await store.close()
    store = await opened(tmp_path)
    await Live(log, store, models=[Statistics()]).flushed()
    digest = await store.digest()
    await store.close()

    assert await log.last() == len(records)
    assert digest == await rebuilt(log, tmp_path)


async def test_rows_are_the_buckets_that_are_kept(tmp_path: Path) -> None:
    """There is a row for each bucket in which something happened, until its level forgets it."""
    records = slow(5)
    await rebuilt(log_of(records), tmp_path)
    store = await opened(tmp_path, "rebuilt.db")
    rows = await rows_of(store)
    await store.close()
    now_s = max(parse_ms(msgspec.json.decode(r.body)["time"]) for r in records if _json(r)) // 1000
    expected = {
        key(level, start): bucket
        for level, buckets in count(records).items()
        for start, bucket in buckets.items()
        if start >= level.oldest(now_s)
    }

    assert rows == expected
    assert len(rows) < sum(map(len, count(records).values()))


def _json(record: Record) -> bool:
    try:
        return "time" in msgspec.json.decode(record.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


async def test_a_state_of_other_jobs_is_refused(tmp_path: Path) -> None:
    """A snapshot in which statistics and fold do not fit together is not used."""
    network = folded(story(5)[:100])
    model = Statistics()
    model.begin(network)
    state = model.state()
    jobs = dict(network.jobs)
    network.jobs.clear()
    with pytest.raises(ValueError, match="other jobs"):
        Statistics().restore(state, network)
    network.jobs.update(jobs)
    Statistics().restore(state, network)
    changed = next(job for job in jobs.values() if job.shards and job.state == "running")
    changed.shards.append(changed.shards[0])
    with pytest.raises(ValueError, match=r"shards of .* are known"):
        Statistics().restore(state, network)


async def test_what_is_kept_open_is_small() -> None:
    """Of closed jobs nothing stays in memory, and of an open shard some bytes in a snapshot."""
    network = Network()
    model = Statistics()
    model.begin(network)
    records = story(5)
    largest = 0.0
    for record in records:
        model.note(record, network.fold(record), network, stored=False)
        shards = sum(len(job.shards) for job in network.jobs.values() if not job.closed)
        largest = max(largest, len(model.state()) / (1 + shards))
    empty = Statistics()
    empty.begin(Network())

    assert largest < 200
    assert msgspec.json.decode(model.state())["jobs"] == {}


async def test_told_again_is_not_kept() -> None:
    """While messages are told again that are in the rows, what they count does not pile up."""
    network = Network()
    model = Statistics()
    model.begin(network)
    for record in slow(5):
        model.note(record, network.fold(record), network, stored=True)
        assert model.pending == 0

    assert model.take().counted == {}


async def test_archived_beginning_keeps_its_rows(tmp_path: Path) -> None:
    """Rows stay when the log's beginning is archived, and what comes then is added to them."""
    records = story(5)
    cut = len(records) // 2
    log = log_of(records[:cut])
    store = await opened(tmp_path)
    live = Live(log, store, models=[Statistics()])
    await live.caught_up()
    await live.runner.flush()
    await live.kill()
    await store.drop_snapshot()
    await store.close()
    log.archive(Base(cut - 10, encode_base(folded(records[: cut - 10]))))
    extend(log, records[cut:])
    store = await opened(tmp_path)
    live = Live(log, store, models=[Statistics()])
    await live.caught_up()
    await live.runner.flush()
    await live.kill()
    rows = await rows_of(store)
    await store.close()
    whole = {key(level, s): b for level, made in count(records).items() for s, b in made.items()}

    assert rows.keys() == whole.keys()
    assert rows[key(EVER, 0)].counts == whole[key(EVER, 0)].counts
    assert rows[key(EVER, 0)].gauges == whole[key(EVER, 0)].gauges
