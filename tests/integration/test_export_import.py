"""Export from one server, import into another, and everything that can go wrong on the way."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from events.archive.exporting import Exported, write_export
from events.archive.file_log import FileLog
from events.archive.files import in_thread, writing
from events.archive.lines import Header
from events.connection import connect
from events.jetstream import History, import_file, open_blobs, open_log
from events.log import EVERYTHING, Readable, Record
from node.server import EmbeddedServer
from tests.events.archive.logs import CREATED

COUNT = 2_345
BLOB = bytes(range(256)) * 2_000


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[tuple[Client, Client]]:
    """Return connections to two empty servers."""
    async with AsyncExitStack() as stack:
        clients = []
        for name in ("first", "second"):
            server = await stack.enter_async_context(EmbeddedServer(tmp_path / name))
            client = await connect(server.url, name=name)
            stack.push_async_callback(client.close)
            clients.append(client)
        yield clients[0], clients[1]


async def fill(client: Client, count: int = COUNT) -> None:
    """Put messages of several jobs on the log, some of which are no events."""
    log = await open_log(client)
    answers = []
    for number in range(count):
        body = msgspec.json.encode({"id": f"id-{number}", "data": number})
        if number % 100 == 7:
            body = b"\x00\n\xff" * number
        subject = f"lota.ev.00.job{number % 5}.c.node-1.a.b"
        answers.append(log.append(subject, body, id=f"id-{number}"))
    for answer in answers:
        await answer
    await log.close()


async def export(client: Client, path: Path, filter: str = EVERYTHING) -> Exported:
    """Export what a filter selects, as the command does."""
    history = History(client)
    first, last = await history.bounds()
    header = Header(stream="LOTA", created=CREATED, first=first, last=last)
    async with in_thread(writing(path)) as file:
        messages = history.read(filter, first=first, last=last)
        exported = await write_export(file, header, messages, await open_blobs(client))
    await history.close()
    return exported


async def records(log: Readable) -> list[Record]:
    """Read all of a log."""
    return [record async for batch in log.read() for record in batch]


@pytest.mark.parametrize("fast", [True, False])
async def test_a_round_trip_gives_the_same_bytes(
    servers: tuple[Client, Client], tmp_path: Path, *, fast: bool
) -> None:
    """The export of a twin is the export that it was made from, byte for byte."""
    first, second = servers
    await fill(first)
    exported = await export(first, tmp_path / "first.jsonl")
    assert exported.events == COUNT
    imported = await import_file(second, tmp_path / "first.jsonl", fast=fast)
    assert (imported.events, imported.renumbered) == (COUNT, False)
    await export(second, tmp_path / "second.jsonl")
    assert (tmp_path / "second.jsonl").read_bytes() == (tmp_path / "first.jsonl").read_bytes()
    logs = [await open_log(client) for client in servers]
    assert await records(logs[0]) == await records(logs[1])
    assert await records(await FileLog.open(tmp_path / "first.jsonl")) == await records(logs[0])
    for log in logs:
        await log.close()
