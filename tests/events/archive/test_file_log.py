"""An export read as a log."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from events.archive.file_log import MARK_EVERY, FileLog
from events.archive.files import in_thread, lines, reading, writing
from events.cid import raw_cid
from events.errors import (
    DamagedExport,
    InvalidInput,
    LogError,
    LogUnavailable,
    NotFound,
    TruncatedExport,
)
from events.log import Readable, Record
from events.memory import MemoryLog
from events.times import parse_ms, rfc3339
from tests.events.archive.logs import export, stored

NAMES = ("log.jsonl", "log.jsonl.zst")
BLOB = b"listing" * 100_000
JOBS = ("a", "b", "c")
KINDS = ("job.submitted", "job.planned")
COUNT = 2 * MARK_EVERY + 500
MESSAGES = [stored(n, job=JOBS[n % 3], kind=KINDS[n % 2]) for n in range(1, COUNT + 1)]


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return an export of `MESSAGES` with two blobs, plain and compressed."""
    path = tmp_path / str(request.param)
    with writing(path) as file:
        file.writelines(export(MESSAGES, blobs={raw_cid(b""): b"", raw_cid(BLOB): BLOB}))
    return path


async def records(log: Readable, filters: list[str], after: int) -> list[Record]:
    """Read all that is selected; a log in memory does not say when it was stored."""
    return [
        msgspec.structs.replace(record, stored_ms=0)
        async for batch in log.read(filters, after=after)
        for record in batch
    ]


async def test_a_file_reads_as_a_log_does(path: Path) -> None:
    """Whatever is asked for, a file answers as the log would that it was made of."""
    memory = MemoryLog()
    for message in MESSAGES:
        memory.append_now(message.subject, message.body, id=message.id)
    log = await FileLog.open(path)
    for filters in (
        ["lota.ev.>"],
        [">"],
        ["lota.ev.00.a.>"],
        ["lota.ev.*.*.*.*.job.planned"],
        ["lota.ev.00.b.g.cli.job.submitted", "lota.ev.00.c.>"],
        ["lota.ev.00.none.>"],
        ["lota.ev.00.a"],
    ):
        for after in (0, 1, MARK_EVERY - 1, MARK_EVERY, MARK_EVERY + 1, COUNT - 1, COUNT):
            assert await records(log, filters, after) == await records(memory, filters, after)
        for each in filters:
            assert await log.last(each) == await memory.last(each)


async def test_says_when_each_was_stored(path: Path) -> None:
    """A message of a file says when the server stored it that the file was made from."""
    log = await FileLog.open(path)
    read = [record async for batch in log.read(after=COUNT - 2) for record in batch]

    assert [record.stored_ms for record in read] == [
        parse_ms(message.time) for message in MESSAGES[-2:]
    ]


async def test_positions_are_those_recorded(tmp_path: Path) -> None:
    """An export of one job keeps the positions that the log had given."""
    path = tmp_path / "job.jsonl"
    path.write_bytes(b"".join(export(map(stored, (5, 90, 91)))))
    log = await FileLog.open(path)
    assert [record.position for record in await records(log, ["lota.ev.>"], 5)] == [90, 91]
    assert await log.last() == 91
    assert (log.header.first, log.header.last) == (5, 91)


async def test_blobs_come_with_the_file(path: Path) -> None:
    """What the events name is there by its CID, and nothing else is."""
    log = await FileLog.open(path)
    assert await log.blobs.get(raw_cid(BLOB)) == BLOB
    assert await log.blobs.get(raw_cid(b"")) == b""
    with pytest.raises(NotFound):
        await log.blobs.get(raw_cid(b"other"))


async def test_overlapping_filters_are_refused(path: Path) -> None:
    """A file is no laxer than a server."""
    log = await FileLog.open(path)
    with pytest.raises(LogError, match="overlap"):
        await records(log, ["lota.ev.>", "lota.ev.00.a.>"], 0)


async def test_a_closed_file_ends_its_reads(path: Path) -> None:
    """After close, reading says so."""
    log = await FileLog.open(path)
    await log.close()
    with pytest.raises(LogUnavailable):
        await records(log, ["lota.ev.>"], 0)


async def test_a_damaged_file_is_not_opened(path: Path) -> None:
    """A byte that is changed is found before anything is read from the file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(DamagedExport):
        await FileLog.open(path)


async def test_a_truncated_file_is_not_opened(path: Path) -> None:
    """A file that is cut is truncated, compressed or not."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(TruncatedExport):
        await FileLog.open(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
async def test_a_cut_file_is_never_an_empty_one(path: Path, share: float) -> None:
    """However little of it is there, also if it cannot even be decompressed, it is truncated."""
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    with pytest.raises(TruncatedExport) as raised:
        await FileLog.open(path)
    assert "its end is missing" in raised.value.hint


async def test_plain_text_is_no_compressed_export(tmp_path: Path) -> None:
    """A file is read as its name says."""
    path = tmp_path / "log.jsonl.zst"
    path.write_bytes(b"".join(export([stored(1)])))
    with pytest.raises(DamagedExport, match=r"log.jsonl.zst: it is not whole"):
        await FileLog.open(path)


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No file is an input that cannot be read."""
    with pytest.raises(InvalidInput, match="No such file"):
        await FileLog.open(tmp_path / "none.jsonl")


def test_without_its_package_a_compressed_file_says_what_to_install(tmp_path: Path) -> None:
    """Where zstandard is not installed, only files that need it are refused."""
    program = (
        "import sys; sys.modules['zstandard'] = None\n"
        "from pathlib import Path\n"
        "from events.archive.files import writing\n"
        "with writing(Path(sys.argv[1])) as file: file.write(b'x')\n"
    )
    done = [
        subprocess.run(
            [sys.executable, "-c", program, tmp_path / name], capture_output=True, check=False
        )
        for name in NAMES
    ]
    assert done[0].returncode == 0
    assert b"install lota[zstd]" in done[1].stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_export_leaves_nothing(name: str, tmp_path: Path) -> None:
    """When writing fails in the middle, an earlier file of that name is as it was."""
    path = tmp_path / name
    path.write_bytes(b"earlier")

    def fail() -> None:
        with writing(path) as file:
            file.write(export([])[0])
            raise LogUnavailable("the server is gone")

    with pytest.raises(LogUnavailable):
        fail()
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


async def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    """Only files are replaced: a pipe gets the export and is a pipe afterwards."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading_it = asyncio.ensure_future(asyncio.to_thread(path.read_bytes))
    async with in_thread(writing(path)) as file:
        file.write(b"export")
    assert await reading_it == b"export"
    assert path.is_fifo()


def test_the_file_behind_a_link_is_replaced(tmp_path: Path) -> None:
    """A link goes on leading to where it led."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with writing(tmp_path / "link") as file:
        file.write(b"export")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"export"


def test_what_another_has_written_meanwhile_stays(tmp_path: Path) -> None:
    """Of two that write a new file of one name at once the first does, and the other is told."""
    path = tmp_path / "a.jsonl"
    with pytest.raises(InvalidInput, match="File exists"), writing(path, new=True):
        path.write_bytes(b"another's")
    assert [(it, it.read_bytes()) for it in tmp_path.iterdir()] == [(path, b"another's")]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """An export that cannot be written says why."""
    for path in (tmp_path / "no" / "x", tmp_path, Path("/")):
        with pytest.raises(InvalidInput, match="cannot be written"), writing(path):
            pass


def test_what_is_written_is_what_is_read(path: Path) -> None:
    """Lines come back as they were written, in the same order."""
    with reading(path) as file:
        assert list(lines(file))[1:4] == export(MESSAGES[:3])[1:4]


async def test_a_time_is_found_wherever_it_is(tmp_path: Path) -> None:
    """The first message stored at a time or later is found, before, between and behind marks."""
    first_ms = parse_ms("2026-11-23T08:00:00Z")
    times_ms = [first_ms + 10 * (number // 3) for number in range(COUNT)]
    messages = [
        msgspec.structs.replace(message, time=rfc3339(time_ms))
        for message, time_ms in zip(MESSAGES, times_ms, strict=True)
    ]
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(export(messages)))
    log = await FileLog.open(path)
    for time_ms in (0, *times_ms[:: MARK_EVERY // 7], times_ms[MARK_EVERY] + 1, times_ms[-1] + 1):
        expected = sum(1 for stored_ms in times_ms if stored_ms < time_ms) + 1
        assert await log.position_since(time_ms) == expected
