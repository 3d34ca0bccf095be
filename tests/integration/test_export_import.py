"""Export from one server, import into another, and everything that can go wrong on the way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from events.archive.exporting import Exported, write_export
from events.archive.file_log import FileLog
from events.archive.files import in_thread, writing
from events.archive.lines import Header, Selection, Stored
from events.cid import raw_cid
from events.connection import connect
from events.errors import (
    DamagedExport,
    ExportError,
    LogError,
    LogNotEmpty,
    LogUnavailable,
    NewerExport,
    NotAnExport,
    StreamMismatch,
    TruncatedExport,
    UnorderedExport,
)
from events.jetstream import History, import_file, open_blobs, open_log
from events.jetstream.twin_stream import TwinStream
from events.log import EVERYTHING, Readable, Record
from events.times import parse_ms
from node.server import EmbeddedServer
from tests.events.archive.logs import CREATED
from tests.events.archive.logs import export as composed
from tests.events.archive.logs import stored as plain
from tests.integration.import_sweep import sweep

COUNT = 2_345
Two = tuple[Client, Client]


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Two]:
    """Return connections to two empty servers."""
    async with AsyncExitStack() as stack:
        clients = []
        for name in ("first", "second"):
            server = await stack.enter_async_context(EmbeddedServer(tmp_path / name))
            client = await connect(server.url, name=name)
            stack.push_async_callback(client.close)
            clients.append(client)
        yield clients[0], clients[1]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """Return a connection to an empty server."""
    async with EmbeddedServer(tmp_path / "server") as server:
        client = await connect(server.url, name="test")
        yield client
        await client.close()


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
    await asyncio.gather(*answers)
    await log.close()


async def export(
    client: Client, path: Path, filter: str = EVERYTHING, header: Header | None = None
) -> Exported:
    """Export what a filter selects."""
    history = History(client)
    first, last = await history.bounds()
    header = header or Header(stream="LOTA", created=CREATED, first=first, last=last)
    async with in_thread(writing(path)) as file:
        messages = history.read(filter, first=first, last=last)
        exported = await write_export(file, header, messages, await open_blobs(client))
    await history.close()
    return exported


def untimed(record: Record) -> Record:
    """Leave out when a server stored it: that of a twin did so later."""
    return msgspec.structs.replace(record, stored_ms=0)


async def records(log: Readable) -> list[Record]:
    """Read all of a log but its times, and close it."""
    found = [untimed(record) async for batch in log.read() for record in batch]
    await log.close()
    return found


async def streams(client: Client) -> list[str]:
    """Name all streams of a server."""
    answer = await client.request("$JS.API.STREAM.NAMES", timeout=5)
    return msgspec.json.decode(answer.data)["streams"] or []


def write(path: Path, messages: Sequence[Stored], blobs: Sequence[bytes] = ()) -> Path:
    """Write an export of messages that no server has seen."""
    path.write_bytes(b"".join(composed(messages, blobs={raw_cid(data): data for data in blobs})))
    return path


@pytest.mark.parametrize("fast", [True, False])
async def test_a_round_trip_gives_the_same_bytes(
    servers: Two, tmp_path: Path, *, fast: bool
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
    there = await records(await open_log(first))
    assert await records(await open_log(second)) == there
    assert await records(await FileLog.open(tmp_path / "first.jsonl")) == there


async def test_blobs_come_along(client: Client, tmp_path: Path) -> None:
    """A twin has the blobs of the export, the empty one and one of several pieces too."""
    blobs = (b"", bytes(range(256)) * 2_000)
    imported = await import_file(client, write(tmp_path / "log.jsonl", [plain(1)], blobs))
    assert imported.blobs == 2
    there = await open_blobs(client)
    for data in blobs:
        assert await there.get(raw_cid(data)) == data


async def test_a_part_of_a_log_says_where_it_was(servers: Two, tmp_path: Path) -> None:
    """A twin of one job is numbered anew, and its export still says what the first log said."""
    first, second = servers
    await fill(first, 50)
    path = tmp_path / "job.jsonl"
    selection = Selection(job="job3")
    header = Header(stream="LOTA", created=CREATED, filter=selection, first=1, last=50)
    await export(first, path, "lota.ev.00.job3.>", header)
    imported = await import_file(second, path)
    assert (imported.events, imported.renumbered) == (10, True)
    log = await open_log(second)
    assert log.twin == msgspec.structs.replace(header, created="")
    assert [record.position for record in await records(log)] == list(range(1, 11))
    await export(second, tmp_path / "again.jsonl", EVERYTHING, header)
    assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


async def test_a_log_without_its_beginning_keeps_its_positions(
    client: Client, tmp_path: Path
) -> None:
    """Where a log begins at a later position, its twin does too."""
    messages = [plain(position) for position in range(500, 520)]
    imported = await import_file(client, write(tmp_path / "log.jsonl", messages))
    assert not imported.renumbered
    there = await records(await open_log(client))
    assert there == [untimed(message.record) for message in messages]


@pytest.mark.parametrize("fast", [True, False])
async def test_an_id_that_comes_twice_is_kept_twice(
    client: Client, tmp_path: Path, *, fast: bool
) -> None:
    """What the first log stored again after a while, the second stores at once, with its id."""
    again = msgspec.structs.replace(plain(1), position=3)
    path = write(tmp_path / "log.jsonl", [plain(1), plain(2), again, plain(4)])
    await import_file(client, path, fast=fast)
    header = Header(stream="LOTA", created=CREATED, first=1, last=4)
    await export(client, tmp_path / "again.jsonl", EVERYTHING, header)
    assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


async def test_an_empty_log_has_a_twin(client: Client, tmp_path: Path) -> None:
    """An export without events is imported as one."""
    imported = await import_file(client, write(tmp_path / "log.jsonl", []))
    assert imported.events == 0
    assert (await open_log(client)).twin is not None


async def test_times_lead_to_positions(client: Client, tmp_path: Path) -> None:
    """The position since a time is found in a twin by the times that the first log gave."""
    messages = [
        msgspec.structs.replace(plain(n), time=f"2026-11-23T08:00:{n:02}.5Z") for n in range(1, 60)
    ]
    await import_file(client, write(tmp_path / "log.jsonl", messages))
    history = History(client)
    for time, position in (
        ("2026-11-23T07:00:00Z", 1),
        ("2026-11-23T08:00:30.5Z", 30),
        ("2026-11-23T08:00:30.6Z", 31),
        ("2026-11-24T00:00:00Z", 60),
    ):
        assert await history.position_since(parse_ms(time)) == position
    await history.close()


BODY = b'"%b"' % (b"x" * 4000)
"""Of which far more are on the log than a reader asks for at a time."""


async def test_a_log_that_is_cut_while_it_is_read_is_noticed(client: Client) -> None:
    """An export never skips what was dropped from the beginning of the log meanwhile."""
    stream = client.jetstream()
    await stream.add_stream(name="LOTA", subjects=["lota.ev.>"])
    for _ in range(11_999):
        await client.publish("lota.ev.00.a.g.cli.a.b", BODY)
    last = (await stream.publish("lota.ev.00.a.g.cli.a.b", BODY)).seq
    history = History(client)
    reading = history.read(EVERYTHING, first=1, last=last)
    await anext(reading)
    await stream.purge_stream("LOTA", seq=last - 10)
    with pytest.raises(LogError, match="not there any more"):
        async for _ in reading:
            pass


LINES = composed([plain(1), plain(2), plain(3)])
BAD: list[tuple[type[ExportError], list[bytes]]] = [
    (TruncatedExport, LINES[:-1]),
    (TruncatedExport, [*LINES[:-1], LINES[-1][:20]]),
    (DamagedExport, [*LINES[:2], LINES[2].replace(b"job.submitted", b"job.cancelled"), *LINES[3:]]),
    (DamagedExport, [*LINES[:2], *LINES[3:]]),
    (DamagedExport, composed([msgspec.structs.replace(plain(1), subject="lota.cmd.node-1")])),
    (UnorderedExport, composed([plain(2), plain(1)])),
    (NewerExport, [LINES[0].replace(b'"version":1', b'"version":9'), *LINES[1:]]),
    (NotAnExport, [b"#!/bin/sh\n"]),
]


async def test_a_bad_file_touches_nothing(client: Client, tmp_path: Path) -> None:
    """What is wrong with a file is found before anything is stored, and said with its line."""
    for kind, lines in BAD:
        (tmp_path / "bad.jsonl").write_bytes(b"".join(lines))
        with pytest.raises(kind, match=r"line \d") as raised:
            await import_file(client, tmp_path / "bad.jsonl")
        assert raised.value.hint
        assert await streams(client) == []


async def test_a_log_with_events_is_refused(client: Client, tmp_path: Path) -> None:
    """An import adds to no log, and leaves the one that is there alone."""
    await fill(client, 3)
    before = await records(await open_log(client))
    with pytest.raises(LogNotEmpty, match="3 events"):
        await import_file(client, write(tmp_path / "log.jsonl", [plain(1)]))
    assert await records(await open_log(client)) == before


async def test_a_log_with_readers_is_refused(client: Client, tmp_path: Path) -> None:
    """Who follows an empty log would act on what is imported, and so there must be nobody."""
    log = await open_log(client)
    await log.append("lota.ev.00.a.g.cli.a.b", b"{}", id="x")
    follow = log.follow()
    await anext(follow)
    await client.request("$JS.API.STREAM.DELETE.LOTA", timeout=5)
    await (await open_log(client)).close()
    consumer = {"stream_name": "LOTA", "config": {"durable_name": "reader", "ack_policy": "none"}}
    request = msgspec.json.encode(consumer)
    await client.request("$JS.API.CONSUMER.DURABLE.CREATE.LOTA.reader", request, timeout=5)
    with pytest.raises(LogNotEmpty, match="somebody reads it"):
        await import_file(client, write(tmp_path / "log.jsonl", [plain(1)]))
    await log.close()


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("there", [True, False])
async def test_a_failed_import_leaves_the_server_as_it_was(
    client: Client, tmp_path: Path, *, fast: bool, there: bool
) -> None:
    """When the server refuses a message in the middle, what was begun is gone again."""
    if there:
        await (await open_log(client, republish=True)).close()
        await open_blobs(client)
    before = [await client.jetstream().stream_info(name) for name in await streams(client)]
    large = msgspec.structs.replace(plain(900), body=b"\x00" * (client.max_payload + 1))
    messages = [*(plain(n) for n in range(1, 900)), large, plain(901)]
    with pytest.raises(LogError):
        await import_file(client, write(tmp_path / "log.jsonl", messages, [b"x"]), fast=fast)
    after = [await client.jetstream().stream_info(name) for name in await streams(client)]
    assert [info.config for info in after] == [info.config for info in before]
    assert all(info.state.messages == 0 for info in after)


async def test_an_import_that_died_is_no_log(client: Client, tmp_path: Path) -> None:
    """Nobody can attach to a stream that an import has begun and not ended."""
    await TwinStream(client).begin(first=1, fast=True)
    with pytest.raises(StreamMismatch, match="import into this log"):
        await open_log(client)
    with pytest.raises(LogNotEmpty, match="another import"):
        await import_file(client, write(tmp_path / "log.jsonl", [plain(1)]))


async def test_an_interrupted_import_clears_up(client: Client, tmp_path: Path) -> None:
    """A Ctrl-C in the middle leaves the server as it was, too."""
    path = write(tmp_path / "log.jsonl", [plain(n) for n in range(1, 10_000)])

    def interrupt(_: int) -> None:
        importing.cancel()

    importing = asyncio.ensure_future(import_file(client, path, progress=interrupt))
    with pytest.raises(asyncio.CancelledError):
        await importing
    assert await streams(client) == []


@pytest.mark.parametrize("fast", [True, False])
async def test_a_server_that_is_killed_ends_the_import(tmp_path: Path, *, fast: bool) -> None:
    """An import whose server dies in the middle fails, and clears up when the server is back."""
    path = write(tmp_path / "log.jsonl", [plain(n) for n in range(1, 30_000)])
    async with EmbeddedServer(tmp_path / "server") as server:
        client = await connect(server.url, name="test")
        restarts: list[asyncio.Task[None]] = []

        async def restart() -> None:
            await server.kill()
            await server.start()

        def begin(_: int) -> None:
            if not restarts:
                restarts.append(asyncio.ensure_future(restart()))

        with pytest.raises(LogUnavailable, match="not stored"):
            await import_file(client, path, fast=fast, progress=begin)
        await asyncio.gather(*restarts)
        assert await streams(client) == []
        await client.close()


async def test_simulated_logs_come_back_the_same() -> None:
    """What wild networks wrote survives the way into a server and out, and is proved there."""
    swept = await sweep(3, 0)
    assert swept.events > swept.seals > 100
