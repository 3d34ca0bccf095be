"""What an observer says of the network now and then is what a fold of the log says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from events.archive.file_log import FileLog
from events.archive.lines import Stored
from events.errors import LogError, NotFound, WrongUsage
from events.log import EVERYTHING, Base, Record
from events.memory import MemoryLog
from events.times import parse_ms
from node.observer.observer import Observer
from node.observer.standing import StandingLog
from projections.base import encode_base
from projections.job_fold import JobFold
from projections.lanes import lanes_view
from projections.network import Network
from projections.travel import Travel, network_view
from projections.views import job_row, job_view
from tests.events.archive.logs import export
from tests.node.observer.watched import observing, reached
from tests.projections.story import extend, folded, log_of, story

SEEDS = (3, 5, 1055)


def travelled(records: tuple[Record, ...], position: int) -> Travel:
    """Fold a log as `lota replay` does."""
    travel = Travel(list_closed=True)
    for record in records[:position]:
        travel.fold(record)
    return travel


def listed(records: tuple[Record, ...], position: int) -> list[dict[str, Any]]:
    """Return all jobs at a position, the newest first, by a plain fold."""
    travel = travelled(records, position)
    rows = [*travel.closed, *(job_row(job) for job in travel.network.jobs.values())]
    first = {
        record.subject.split(".")[3]: record.position
        for record in reversed(records)
        if record.subject.endswith(".job.submitted")
    }
    return sorted(rows, key=lambda row: -first[row["id"]])


async def every_job(
    observer: Observer, position: int | None, **wanted: Any
) -> list[dict[str, Any]]:
    """Return all pages of a list of jobs."""
    past = await observer.at(position)
    rows: list[dict[str, Any]] = []
    before = None
    while True:
        page = await observer.jobs(past=past, before=before, limit=2, **wanted)
        rows += page.rows
        if page.next is None:
            return rows
        before = page.next


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_past_is_what_a_replay_shows(seed: int, tmp_path: Path) -> None:
    """As of any position the network, to the last number, is that of a fold up to there."""
    records = story(seed)
    async with observing(log_of(records), tmp_path) as observer:
        for position in range(1, len(records) + 1, 7):
            past = await observer.at(position)
            expected = network_view(travelled(records, position))
            assert network_view(past.travel) == {**expected, "closed": []}
            assert (past.position, past.time_ms) == (
                position,
                travelled(records, position).tally.time_ms,
            )


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_present_is_what_a_replay_shows(seed: int, tmp_path: Path) -> None:
    """At each moment of a log that goes on, the network is that of a fold up to there."""
    records = story(seed)
    log = MemoryLog()
    async with observing(log, tmp_path) as observer:
        for start in range(0, len(records), 20):
            extend(log, records[start : start + 20])
            await reached(observer, min(start + 20, len(records)))
            past = await observer.at(None)
            expected = network_view(travelled(records, past.position))
            assert network_view(past.travel) == {**expected, "closed": []}
            rows = await every_job(observer, None)
            assert [_plain(row) for row in rows] == listed(records, past.position)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("position", "closed")}


@pytest.mark.parametrize("seed", SEEDS)
async def test_jobs_are_listed_as_of_then(seed: int, tmp_path: Path) -> None:
    """Page by page, as of any position, each job is there once, in its state of then."""
    records = story(seed)
    async with observing(log_of(records), tmp_path) as observer:
        for position in range(1, len(records) + 1, 11):
            rows = await every_job(observer, position)
            assert [_plain(row) for row in rows] == listed(records, position)
            assert {row["id"] for row in rows if not row["closed"]} == {
                *travelled(records, position).network.jobs
            }


async def test_jobs_are_chosen(tmp_path: Path) -> None:
    """A list holds the jobs of the states, the labels and the text that were asked for."""
    records = story(5)
    everything = listed(records, len(records))
    async with observing(log_of(records), tmp_path) as observer:
        for state in {row["state"] for row in everything}:
            rows = await every_job(observer, None, states=[state])
            assert [row["id"] for row in rows] == [
                row["id"] for row in everything if row["state"] == state
            ]
        name = everything[3]["id"]
        assert [row["id"] for row in await every_job(observer, None, text=name.upper())] == [name]
        assert not await every_job(observer, None, labels=["no=such"])


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_job_as_of_then(seed: int, tmp_path: Path) -> None:
    """A job as of a position is that of a fold up to there, in whatever order it is asked for."""
    records = story(seed)
    chance = Random(seed)
    async with observing(log_of(records), tmp_path) as observer:
        names = [row["id"] for row in await every_job(observer, None)]
        for _ in range(60):
            name, position = chance.choice(names), chance.randint(1, len(records))
            fold = JobFold(name, Network())
            for record in records[:position]:
                fold.fold(record)
            past = await observer.at(position)
            if fold.job is None:
                with pytest.raises(NotFound):
                    await observer.job(name, past)
                continue
            told = await observer.job(name, past)
            now_ms = past.time_ms
            nodes = fold.travel.network.nodes
            assert job_view(told.job, told.nodes, told.timeline, now_ms=now_ms) == job_view(
                fold.job, nodes, fold.timeline, now_ms=now_ms
            )
            assert lanes_view(told.job, told.lanes) == lanes_view(fold.job, fold.lanes)


async def test_a_job_stands_while_it_is_written_down(tmp_path: Path) -> None:
    """Who asks for a job waits while somebody still reads of it, and then gets it as it is."""
    records = story(5)
    async with observing(log_of(records), tmp_path) as observer:
        names = [row["id"] for row in await every_job(observer, None)]
        name = names[0]
        own = [at for at, r in enumerate(records, 1) if r.subject.split(".")[3] == name]
        told = await observer.job(name, await observer.at(own[1]))
        seen = told.job.seen
        past = await observer.at(own[-1])
        with observer.standing(name):
            later = asyncio.ensure_future(observer.job(name, past))
            another = await observer.job(names[1], past)
            assert another.job.id != name
            assert not later.done()
            assert told.job.seen == seen
        assert (await later).job is told.job
        assert told.job.seen > seen


class HoldingBack(MemoryLog):
    """A log that keeps who reads of one job waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.job, self.reading, self.go_on = "", asyncio.Event(), asyncio.Event()

    async def read(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        if self.job and self.job in filters[0]:
            self.reading.set()
            await self.go_on.wait()
        async for batch in super().read(filters, after=after):
            yield batch


async def test_a_job_waits_for_no_other(tmp_path: Path) -> None:
    """While one job takes long to be read, others are told, and that one once."""
    log = HoldingBack()
    extend(log, story(5))
    async with observing(log, tmp_path) as observer:
        log.job, other = [row["id"] for row in await every_job(observer, None)][:2]
        past = await observer.at(None)
        slow = [asyncio.ensure_future(observer.job(log.job, past)) for _ in range(2)]
        await log.reading.wait()
        assert (await asyncio.wait_for(observer.job(other, past), 10)).job.id == other
        log.go_on.set()
        first, second = await asyncio.gather(*slow)
        assert first.job is second.job


async def test_jobs_by_the_start_of_their_id(tmp_path: Path) -> None:
    """The start of one job's id names it, that of several is refused, as is that of none."""
    async with observing(log_of(story(5)), tmp_path) as observer:
        names = [row["id"] for row in await every_job(observer, None)]
        for name in names:
            assert await observer.job_id(name) == name
        with pytest.raises(WrongUsage, match="the start of"):
            await observer.job_id("j")
        with pytest.raises(NotFound):
            await observer.job_id("nobody")


async def test_positions_that_are_not_there(tmp_path: Path) -> None:
    """A position beyond the end or before the beginning of the log is refused."""
    records = story(5)
    log = log_of(records)
    log.archive(Base(150, encode_base(folded(records[:150]))))
    async with observing(log, tmp_path) as observer:
        with pytest.raises(WrongUsage, match="beyond"):
            await observer.at(len(records) + 1)
        with pytest.raises(WrongUsage, match="before the first"):
            await observer.at(149)
        assert (await observer.at(150)).position == 150


async def test_a_restart_goes_on(tmp_path: Path) -> None:
    """An observer that was stopped says the same when it is there again, and reads little."""
    records = story(5)
    log = log_of(records)
    async with observing(log, tmp_path) as observer:
        before = network_view((await observer.at(None)).travel)
        rows = await every_job(observer, None)
    async with observing(log, tmp_path) as observer:
        assert network_view((await observer.at(None)).travel) == before
        assert await every_job(observer, None) == rows


async def test_another_log_in_its_place(tmp_path: Path) -> None:
    """What is kept of a log that was replaced is dropped, without being asked."""
    async with observing(log_of(story(5)), tmp_path):
        pass
    records = story(3)
    async with observing(log_of(records), tmp_path) as observer:
        rows = await every_job(observer, None)
    assert [_plain(row) for row in rows] == listed(records, len(records))


class BreakingOff(MemoryLog):
    """A log that is read to its end once, and breaks off then; later it waits to be let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.broken, self.again, self.go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def follow(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        if self.broken.is_set():
            self.again.set()
            await self.go_on.wait()
        async for batch in super().follow(filters, after=after):
            yield batch
            if not self.go_on.is_set():
                await self.broken.wait()
                raise LogError("it broke off")


async def test_not_ready_while_it_begins_again(tmp_path: Path) -> None:
    """Nobody takes what is counted of half a log for all of it, the second time as the first."""
    log = BreakingOff()
    extend(log, story(5))
    async with observing(log, tmp_path) as observer:
        log.broken.set()
        await log.again.wait()
        assert not observer.ready.is_set()
        log.go_on.set()
        await observer.ready.wait()
        assert observer.position == len(story(5))


async def test_a_damaged_store_is_built_anew(tmp_path: Path) -> None:
    """A store that cannot be read is replaced: all of it follows from the log."""
    records = story(3)
    (tmp_path / "projections.db").write_bytes(b"rubbish" * 1000)
    async with observing(log_of(records), tmp_path) as observer:
        assert observer.position == len(records)


async def test_changes_are_told(tmp_path: Path) -> None:
    """Who waits for changes is told once of all that came, and which jobs it is about."""
    records = story(5)
    log = MemoryLog()
    async with observing(log, tmp_path) as observer:
        changes = observer.changes()
        waiting = anext(changes)
        extend(log, records[:30])
        change = await waiting
        await changes.aclose()
    told = {record.subject.split(".")[3] for record in records[: change.position]} - {"_", "net"}
    assert change.jobs is not None
    assert set(change.jobs) <= told
    assert change.nodes


def as_stored(record: Record) -> Stored:
    """Return a message as an export has it, stored a second behind the one before it."""
    minutes, seconds = divmod(record.position, 60)
    time = f"2026-11-23T08:{minutes:02}:{seconds:02}Z"
    return Stored(
        position=record.position,
        subject=record.subject,
        time=time,
        id=f"{record.position}",
        body=record.body,
    )


async def test_an_export_is_observed(tmp_path: Path) -> None:
    """Of a log in a file all is shown that is shown of the log itself, and nothing more comes."""
    records = story(3)
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"".join(export(map(as_stored, records))))
    log = await FileLog.open(file)
    async with Observer.open(StandingLog(log), tmp_path, log.position_since) as observer:
        await observer.ready.wait()
        rows = await every_job(observer, None)
        assert [_plain(row) for row in rows] == listed(records, len(records))
        assert await observer.position_at(0) == 0
        assert await observer.position_at(parse_ms("2026-11-23T08:01:40Z")) == 100
        assert observer.lag == 0
        assert not observer.failed.done()
