"""What every log promises whose beginning was archived, held against each implementation."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from events.archive.compose import Composer
from events.archive.file_log import FileLog
from events.archive.lines import BaseRef, Header
from events.cid import raw_cid
from events.connection import connect
from events.errors import LogError, LogUnavailable
from events.jetstream import Retention, import_file, open_blobs, open_log
from events.log import Base, Expect, Log, Readable
from events.memory import MemoryLog
from node.server import EmbeddedServer
from tests.events.archive.logs import CREATED, stored

COUNT = 8
BASE = Base(5, b"what was before")


async def _appended(log: Log) -> None:
    for position in range(1, COUNT + 1):
        message = stored(position, job="ab"[position % 2])
        assert await log.append(message.subject, message.body, id=message.id) == position


def _export(path: Path) -> Path:
    reference = BaseRef(BASE.position, raw_cid(BASE.state))
    composer = Composer()
    header = Header(stream="LOTA", created=CREATED, first=6, last=COUNT, base=reference)
    lines = [composer.begin(header)]
    lines += [composer.message(stored(n, job="ab"[n % 2])) for n in range(6, COUNT + 1)]
    lines += [*composer.blob(reference.blob, BASE.state), composer.end()]
    path.write_bytes(b"".join(lines))
    return path


async def _archived(kind: str, folder: Path, stack: AsyncExitStack) -> Readable:
    if kind == "memory":
        memory = MemoryLog()
        await _appended(memory)
        memory.archive(BASE)
        return memory
    if kind == "file":
        return await FileLog.open(_export(folder / "log.jsonl"))
    server = await stack.enter_async_context(EmbeddedServer(folder / "server"))
    client = await connect(server.url, name="contract")
    stack.push_async_callback(client.close)
    if kind == "twin":
        await import_file(client, _export(folder / "log.jsonl"))
        return await open_log(client)
    log = await open_log(client)
    await _appended(log)
    reference = BaseRef(BASE.position, await (await open_blobs(client)).put(BASE.state))
    await Retention(client).drop(reference, before=None, progress=lambda _: None)
    return log


@pytest.fixture(params=["memory", "jetstream", "twin", "file"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Readable]:
    """Return a log of eight messages, of which the first five were archived."""
    async with AsyncExitStack() as stack:
        log = await _archived(request.param, tmp_path, stack)
        stack.push_async_callback(log.close)
        yield log


@pytest.fixture(params=["memory", "jetstream"])
async def writable(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    """Return such a log to append to."""
    async with AsyncExitStack() as stack:
        log = await _archived(request.param, tmp_path, stack)
        stack.push_async_callback(log.close)
        yield log  # type: ignore[misc]


async def test_it_gives_its_base(log: Readable) -> None:
    """What stood before the first message is there, to the byte, with how far it goes."""
    assert await log.base() == BASE


async def test_positions_stay(log: Readable) -> None:
    """Reading behind the base gives what stayed, where it was."""
    batches = log.read(after=BASE.position)
    assert [record.position async for batch in batches for record in batch] == [6, 7, 8]
    assert await log.last() == COUNT


async def test_a_filter_finds_what_stayed(log: Readable) -> None:
    """By a filter, too, only what stayed is found, from whatever position on."""
    batches = log.read(("lota.ev.00.a.>",), after=2)
    assert [record.position async for batch in batches for record in batch] == [6, 8]


async def test_a_read_from_nothing_begins_where_the_log_does(log: Readable) -> None:
    """Who has read nothing yet reads what is there, without a word about what was before."""
    assert [record.position async for batch in log.read() for record in batch] == [6, 7, 8]


async def test_a_closed_log_gives_no_base(log: Readable) -> None:
    """After close the base is LogUnavailable, as all else is."""
    await log.close()
    with pytest.raises(LogUnavailable):
        await log.base()


async def test_a_log_that_was_never_archived_has_none(tmp_path: Path) -> None:
    """A log that begins with its first message has no base."""
    assert await MemoryLog().base() is None
    async with EmbeddedServer(tmp_path / "server") as server:
        client = await connect(server.url, name="contract")
        log = await open_log(client)
        assert await log.base() is None
        await log.close()
        await client.close()


async def test_who_stands_before_it_cannot_go_on(writable: Log) -> None:
    """A fold of the whole log that has not seen all of what was archived is told so."""
    with pytest.raises(LogError, match="archived"):
        await anext(writable.follow(after=2))
    with pytest.raises(LogError, match="archived"):
        await anext(writable.read(after=2))
    assert [record.position for record in await anext(writable.follow(after=5))] == [6, 7, 8]


async def test_it_goes_on(writable: Log) -> None:
    """What is appended gets the next position, and a fence whose decision is gone stands at 0."""
    subject = "lota.ev.00.c.r.requester.a.b"
    expect = Expect("lota.ev.00.c.r.>", 0)
    assert await writable.append(subject, b"{}", id="new", expect=expect) == COUNT + 1
