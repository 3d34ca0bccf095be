"""Keyframes: any moment is one and a short fold, whatever became of the observer meanwhile."""

import asyncio
import gc
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from random import Random
from weakref import ref

import msgspec
import pytest
from msgspec import structs

from events.errors import DatabaseUnusable
from events.log import EVERYTHING, Base, Record
from events.marks import Mark
from events.memory import MemoryLog
from events.subjects import partition
from node.observer.keyframes import PIECE_BYTES, Keyframes, Spacing, _frame, _pieces
from node.observer.observer import Observer
from node.observer.past import Past
from node.observer.pasts import KEPT_MAX
from projections.base import encode_base
from projections.snapshot import parts
from projections.tally import Tally
from projections.track_records import TrackRecords
from projections.travel import Travel, network_view
from tests.event_loop import counted_turns, turns_of_the_loop
from tests.node.observer.watched import observing, reached
from tests.projections.conversation import Conversation
from tests.projections.story import extend, folded, log_of, story

SEEDS = (3, 5, 1055)
OFTEN = Spacing(every=10, share=1e9, snapshot=30)


def frames(folder: Path) -> list[int]:
    """Return the positions of the keyframes in a folder."""
    with closing(sqlite3.connect(folder / "keyframes.db")) as file:
        return [at for (at,) in file.execute("SELECT position FROM frames ORDER BY position")]


class Counting(MemoryLog):
    """A log that notes behind which positions it was read from."""

    def __init__(self, records: tuple[Record, ...] = ()) -> None:
        super().__init__()
        self.begun: list[int] = []
        extend(self, records)

    def read(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        self.begun.append(after)
        return super().read(filters, after=after)


async def keep(observer: Observer) -> None:
    """Keep a keyframe now, if one is due."""
    of = observer._following
    await of.keyframes.keep(of.runner, of.closed, of.track_records)


def plainly(records: Iterable[Record]) -> Past:
    """Return the past after these messages, folded one by one from the start."""
    past = Past(Travel(), TrackRecords())
    for record in records:
        past.fold(record)
    return past


def stands(past: Past) -> dict[str, object]:
    """Return all of a past that a view or a further fold could show."""
    travel, network = past.travel, past.network
    return {
        "records": past.track_records.of,
        "view": {**network_view(travel), "closed": []},
        "jobs": list(network.jobs.values()),
        "nodes": network.nodes,
        "strays": list(network.strays.items()),
        "foreign": network.foreign_kept,
    }


async def lived(log: MemoryLog, records: tuple[Record, ...], folder: Path, chance: Random) -> None:
    """Follow a log as it grows, in several lives, and keep many keyframes."""
    while (at := await log.last()) < len(records):
        async with observing(log, folder, OFTEN) as observer:
            for _ in range(chance.randint(1, 8)):
                extend(log, records[at : at + chance.randint(1, 12)])
                at = await log.last()
                await reached(observer, at)
                if chance.random() < 0.7:
                    await keep(observer)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_past_is_a_keyframe_and_a_short_fold(seed: int, tmp_path: Path) -> None:
    """As of every position all is as a fold from the start has it, and little is read for it."""
    records, log = story(seed), Counting()
    await lived(log, records, tmp_path, Random(seed))
    kept = frames(tmp_path)
    assert len(kept) > len(records) // 40
    async with observing(log, tmp_path, OFTEN) as observer:
        plain = plainly(())
        for record in records:
            plain.fold(record)
            log.begun.clear()
            past = await observer.at(record.position)
            assert stands(past) == stands(plain)
            before = max((at for at in kept if at <= record.position), default=0)
            assert min(log.begun, default=before) >= before - 1


async def test_keyframes_keep_to_their_share(tmp_path: Path) -> None:
    """Keyframes are as rare as their share of the log's bytes asks for."""
    records, log = story(5), MemoryLog()
    async with observing(log, tmp_path, Spacing(every=1, share=0.1)) as observer:
        for record in records:
            extend(log, (record,))
            await reached(observer, record.position)
            await keep(observer)
    with closing(sqlite3.connect(tmp_path / "keyframes.db")) as file:
        ((size, newest),) = file.execute(
            "SELECT sum(size), max(size) FROM frames WHERE position > 1"
        )
    assert size - newest <= 0.1 * sum(len(record.body) for record in records)
    assert size > 0.04 * sum(len(record.body) for record in records)
    assert 3 <= len(frames(tmp_path)) < len(records) / 3


async def test_pasts_are_no_work_for_the_collector(tmp_path: Path) -> None:
    """The collector does not walk a restored fold; one that is not kept is gone without it."""
    records, log = story(5), MemoryLog()
    await lived(log, records, tmp_path, Random(1))
    async with observing(log, tmp_path, OFTEN) as observer:
        frozen = gc.get_freeze_count()
        past = ref((await observer.at(100)).network)
        assert gc.get_freeze_count() > frozen
        assert gc.isenabled()
        gc.disable()
        for position in range(101, 101 + KEPT_MAX):
            await observer.at(position)
        gc.enable()
        assert past() is None


def test_jobs_are_let_go_while_a_fold_is_gone_through() -> None:
    """A closed job that leaves the fold between two pieces of a keyframe is no matter."""
    told = Conversation()
    told.submit()
    network, job = told.network, told.job
    names = [f"job{number}" for number in range(2 * PIECE_BYTES // len(msgspec.json.encode(job)))]
    network.jobs |= {name: structs.replace(job, id=name) for name in names}
    network.jobs["closed"] = structs.replace(job, id="closed", closed=True)
    pieces = _pieces(network)
    size_bytes = len(next(pieces))
    network.retire("closed")
    size_bytes += sum(map(len, pieces))
    assert size_bytes > PIECE_BYTES


async def test_keyframes_of_a_log_that_lost_its_end(tmp_path: Path) -> None:
    """A log that was put back from an older backup, and went another way, has its own pasts."""
    old, new = story(5), story(5)[:100] + tuple(renumbered(story(3)[100:], 101))
    await lived(MemoryLog(), old, tmp_path, Random(1))
    log = log_of(new)
    async with observing(log, tmp_path, OFTEN) as observer:
        plain = plainly(())
        for record in new:
            plain.fold(record)
            assert stands(await observer.at(record.position)) == stands(plain)


def renumbered(records: tuple[Record, ...], first: int) -> Iterator[Record]:
    for position, record in zip(count(first), records, strict=False):
        yield Record(position, record.subject, record.body)


def damage(path: Path, table: str) -> None:
    """Overwrite the page at which a table of a database begins."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        ((page,),) = file.execute(query, (table,)).fetchall()
        ((size_bytes,),) = file.execute("PRAGMA page_size").fetchall()
    with path.open("r+b") as raw:
        raw.seek((page - 1) * size_bytes)
        raw.write(b"\xff" * size_bytes)


@pytest.mark.parametrize("spoil", ["missing", "rubbish", "page", "frames", "version"])
async def test_keyframes_that_cannot_be_used(spoil: str, tmp_path: Path) -> None:
    """Keyframes that were deleted or damaged are made again, and pasts are right meanwhile."""
    records, log = story(5), MemoryLog()
    await lived(log, records, tmp_path, Random(1))
    path = tmp_path / "keyframes.db"
    match spoil:
        case "missing":
            path.unlink()
        case "rubbish":
            path.write_bytes(b"rubbish" * 1000)
        case "page":
            damage(path, "frames")
        case "frames":
            with closing(sqlite3.connect(path)) as file:
                file.execute("UPDATE frames SET body = ?", (b"rubbish",))
                file.commit()
        case _:
            with closing(sqlite3.connect(path)) as file:
                file.execute("PRAGMA user_version=7")
    async with observing(log, tmp_path, OFTEN) as observer:
        for position in range(1, len(records), 13):
            plain = plainly(records[:position])
            assert stands(await observer.at(position)) == stands(plain)


async def test_keyframes_that_are_damaged_meanwhile(tmp_path: Path) -> None:
    """Of a keyframe that cannot be read the one before it takes the place, and of all the log."""
    records, log = story(5), Counting()
    await lived(log, records, tmp_path, Random(1))
    path = tmp_path / "keyframes.db"
    *_, before, spoiled, _ = frames(tmp_path)
    async with observing(log, tmp_path, OFTEN) as observer:
        with closing(sqlite3.connect(path)) as file:
            file.execute("UPDATE frames SET body = ? WHERE position = ?", (b"rubbish", spoiled))
            file.commit()
        log.begun.clear()
        assert stands(await observer.at(spoiled)) == stands(plainly(records[:spoiled]))
        assert min(log.begun) >= before - 1
        with closing(sqlite3.connect(path)) as file:
            file.execute("DROP TABLE pieces")
        assert stands(await observer.at(before)) == stands(plainly(records[:before]))


def damage_long_body(path: Path) -> None:
    """Give the newest keyframe a body of several pages, and break the way from one to the next."""
    mark = b"\xab" * 64
    with closing(sqlite3.connect(path)) as file:
        file.execute(
            "UPDATE frames SET body = ? WHERE position = (SELECT max(position) FROM frames)",
            (mark * 400,),
        )
        file.commit()
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((size_bytes,),) = file.execute("PRAGMA page_size").fetchall()
    content = bytearray(path.read_bytes())
    for page in range(0, len(content), size_bytes):
        if content[page + 4 : page + size_bytes].startswith(mark):
            content[page : page + 4] = b"\xff" * 4
    path.write_bytes(content)


@pytest.mark.parametrize("when", ["at the start", "when asked for"])
async def test_keyframes_whose_damage_shows_late(
    when: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that was accepted and then turns out to be damaged is begun anew, as the fold is."""
    records, log = story(5), MemoryLog()
    await lived(log, records, tmp_path, Random(1))
    if when == "at the start":
        damage_long_body(tmp_path / "keyframes.db")
    else:
        damage(tmp_path / "keyframes.db", "pieces")
    async with asyncio.timeout(20), observing(log, tmp_path, OFTEN) as observer:
        if when != "at the start":
            await observer.at(len(records) - 1)
        while "it is begun anew" not in caplog.text:
            await asyncio.wait((observer.failed,), timeout=0)
        await observer.ready.wait()
        await reached(observer, len(records))
        assert not observer.failed.done()
        await keep(observer)
        for position in range(1, len(records), 13):
            plain = plainly(records[:position])
            assert stands(await observer.at(position)) == stands(plain)
    assert f"{tmp_path / 'keyframes.db'} is damaged: it is begun anew" in caplog.text
    assert frames(tmp_path)[-1] == len(records)


async def test_keyframes_that_are_begun_anew_while_they_are_read(tmp_path: Path) -> None:
    """Wherever in it a reader is, it is told that there is no file, or finds nothing."""
    log = log_of(story(5))
    async with observing(log, tmp_path, spacing=OFTEN) as observer:
        await reached(observer, await log.last())
        await keep(observer)
    for turns in range(30):
        (tmp_path / str(turns)).mkdir()
        path = Path(shutil.copy(tmp_path / "keyframes.db", tmp_path / str(turns)))
        keyframes = await Keyframes.open(path, OFTEN)
        reading = asyncio.ensure_future(ask(keyframes, list("abc") * 1_000))
        await turns_of_the_loop(turns)
        await keyframes.renew()
        with suppress(DatabaseUnusable):
            await reading
        await keyframes.close()


async def ask(keyframes: Keyframes, jobs: list[str]) -> None:
    """Ask for what is long ago, in several steps."""
    await keyframes.nearest(1_000)
    await keyframes.retired(jobs, 1_000)


async def test_no_room_for_keyframes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An observer that cannot write a keyframe says so and goes on; pasts are right."""
    records = story(5)
    log = log_of(records[:20])
    async with observing(log, tmp_path, OFTEN) as observer:
        of = observer._following
        async with of.keyframes._one:
            file = of.keyframes._connection
            async with file.execute("PRAGMA page_count") as cursor:
                ((pages,),) = await cursor.fetchall()
            await file.execute(f"PRAGMA max_page_count={pages}")
        end = 20
        while not (observer.failed.done() or "no keyframe" in caplog.text):
            extend(log, records[end : end + 10])
            end = await log.last()
            await reached(observer, end)
            await of.keyframes.nearest(end)
        extend(log, records[end : end + 10])
        await asyncio.wait_for(reached(observer, end + 10), 10)
        assert not observer.failed.done()
        assert stands(await observer.at(end)) == stands(plainly(records[:end]))


async def test_a_keyframe_is_found_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever looks for a keyframe while it is being written finds all of it, or not yet any."""
    network = folded(story(5)[:60])
    told = [part for job in network.jobs.values() for part in parts(job)]
    packed = [(part.job, part.number, msgspec.Raw(part.body)) for part in told]
    pieces = [*[b"[]"] * 40, msgspec.json.encode(packed)]
    frame = _frame(network, Mark(60, "m"), Tally(), TrackRecords(), 0)
    keyframes = await Keyframes.open(tmp_path / "keyframes.db", OFTEN)
    try:
        writing = asyncio.ensure_future(keyframes._write(60, frame, pieces, []))
        while not writing.done():
            await keyframes.nearest(60)
        found = await keyframes.nearest(60)
    finally:
        await keyframes.close()
    assert found is not None
    assert found.past.network.jobs == network.jobs
    assert not caplog.messages


async def test_pasts_of_an_archived_log(tmp_path: Path) -> None:
    """When the beginning of a log goes, pasts behind it stay what they were."""
    records, log = story(5), MemoryLog()
    await lived(log, records, tmp_path, Random(1))
    plain = plainly(())
    async with observing(log, tmp_path, OFTEN) as observer:
        log.archive(Base(120, encode_base(folded(records[:120]))))
        kept = next(at for at in frames(tmp_path) if at >= 120)
        for record in records:
            plain.fold(record)
            if record.position >= kept:
                assert stands(await observer.at(record.position)) == stands(plain)
            elif record.position >= 120:
                now = await observer.at(record.position)
                assert list(now.network.jobs.values()) == list(plain.network.jobs.values())


@pytest.mark.parametrize(("count", "size"), [(5_000, 2), (100, 200_000)])
async def test_a_fold_lets_others_have_their_turn(count: int, size: int, tmp_path: Path) -> None:
    """While thousands of messages, or large ones, are folded, the loop turns again and again."""
    log = MemoryLog()
    subject = f"lota.ev.{partition('job')}.job.x.y.z"
    extend(log, tuple(Record(at, subject, b" " * size) for at in range(1, count + 1)))
    async with observing(log, tmp_path, Spacing(every=1_000_000)) as observer:
        with counted_turns() as turns:
            past = await observer.at(count - 1)
        with counted_turns() as others:
            await observer._streams.fold("job", count - 1)

    assert past.network.foreign == count - 1
    assert min(turns.count, others.count) > max(count / 300, count * size / 300_000)


async def test_a_job_that_was_let_go_stays_late(tmp_path: Path) -> None:
    """A submission of a job that was let go before the keyframe begins no job in the past."""
    records, log = story(5), MemoryLog()
    await lived(log, records, tmp_path, Random(1))
    async with observing(log, tmp_path, OFTEN) as observer:
        await keep(observer)
        assert not observer.network.jobs
        again = next(record for record in records if record.subject.endswith("job.submitted"))
        more = (*records, *renumbered((again, again), len(records) + 1))
        extend(log, more[len(records) :])
        await reached(observer, len(more))
        past = await observer.at(len(more) - 1)
    assert not past.network.jobs
    assert stands(past) == stands(plainly(more[:-1]))
