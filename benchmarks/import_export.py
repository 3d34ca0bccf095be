"""Copying a log to a file and into another server, beside bare loops over the same messages.

An import is compared with what nats-py can publish with acknowledgements and with nothing to read,
check or decode; an export with a pull loop that throws everything away. All run in turn.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks.figures import Figure, Limit, Peer
from benchmarks.reader import bare_s
from events.archive.compose import Composer
from events.archive.exporting import write_export
from events.archive.file_log import FileLog
from events.archive.files import in_thread, writing
from events.archive.lines import Header, Stored
from events.connection import connect
from events.jetstream import History, import_file, open_blobs, open_log
from events.log import EVERYTHING
from node.server import EmbeddedServer

EVENTS = 100_000
ROUNDS = 3
UNANSWERED = 2_000
CREATED = "2026-11-23T09:00:00Z"


def messages() -> Iterator[Stored]:
    """Make events of ten thousand jobs, of the size that most have."""
    for n in range(1, EVENTS + 1):
        identity = f"01J{n:023}"
        body = (
            f'{{"id":"{identity}","source":"/lota/c/node-1","type":"lota.results.proposed.v1",'
            f'"subject":"job{n // 10}","time":"{CREATED}","data":{{"x":"{"y" * 240}"}}}}'
        )
        yield Stored(
            position=n,
            subject=f"lota.ev.{n % 256:02x}.job{n // 10}.c.node-1.results.proposed",
            time=f"2026-11-23T09:00:00.{n:09}Z",
            id=identity,
            body=body.encode(),
        )


def write_file(path: Path) -> float:
    """Write the export without a server, and return the seconds it takes."""
    made = list(messages())
    began = time.perf_counter()
    composer = Composer()
    with writing(path) as file:
        file.write(composer.begin(Header(stream="LOTA", created=CREATED, first=1, last=EVENTS)))
        for stored in made:
            file.write(composer.message(stored))
        file.write(composer.end())
    return time.perf_counter() - began


async def open_s(path: Path) -> float:
    """Return the seconds that opening takes, which checks and indexes the whole file."""
    began = time.perf_counter()
    await (await FileLog.open(path)).close()
    return time.perf_counter() - began


async def read_s(path: Path) -> float:
    """Return the seconds that reading all of an open file takes."""
    log = await FileLog.open(path)
    began = time.perf_counter()
    count = 0
    async for batch in log.read():
        count += len(batch)
    assert count == EVENTS
    return time.perf_counter() - began


async def import_s(path: Path, *, fast: bool) -> float:
    """Return the seconds of an import into an empty server, both readings of the file included."""
    with tempfile.TemporaryDirectory(prefix="lota-bench-") as name:
        async with EmbeddedServer(Path(name)) as server:
            client = await connect(server.url, name="bench")
            began = time.perf_counter()
            await import_file(client, path, fast=fast)
            seconds = time.perf_counter() - began
            await client.close()
    return seconds


async def export_s(client: Client, path: Path) -> float:
    """Return the seconds of an export from a server."""
    history = History(client)
    first, last = await history.bounds()
    began = time.perf_counter()
    async with (
        in_thread(writing(path)) as file,
        aclosing(history.read(EVERYTHING, first=first, last=last)) as stored,
    ):
        header = Header(stream="LOTA", created=CREATED, first=first, last=last)
        done = await write_export(file, header, stored, await open_blobs(client))
    assert done.events == EVENTS
    await history.close()
    return time.perf_counter() - began


async def publish_s() -> float:
    """Return the seconds of bare publishes with two thousand answers outstanding."""
    made = list(messages())
    with tempfile.TemporaryDirectory(prefix="lota-bench-") as name:
        async with EmbeddedServer(Path(name)) as server:
            client = await connect(server.url, name="bench")
            await (await open_log(client)).close()
            answered, room = 0, asyncio.Event()

            async def count(_: Msg) -> None:
                nonlocal answered
                answered += 1
                room.set()

            inbox = client.new_inbox()
            await client.subscribe(inbox, cb=count)
            began = time.perf_counter()
            for sent, stored in enumerate(made, 1):
                headers = {
                    "Content-Type": "application/cloudevents+json",
                    "Nats-Msg-Id": stored.id,
                }
                await client.publish(stored.subject, stored.body, inbox, headers)
                while sent - answered >= UNANSWERED or (sent == EVENTS and answered < EVENTS):
                    room.clear()
                    await room.wait()
            seconds = time.perf_counter() - began
            await client.close()
    return seconds


async def measure() -> AsyncIterator[Figure]:
    """Yield events a second of the file alone, of import and of export."""
    with tempfile.TemporaryDirectory(prefix="lota-bench-") as name:
        path = Path(name) / "log.jsonl"
        yield _figure("writing an export", write_file(path))
        yield _figure("opening an export: checked and indexed", await open_s(path))
        yield _figure("reading an open export", await read_s(path))
        fast, slow, bare = [], [], []
        for _ in range(ROUNDS):
            bare.append(await publish_s())
            fast.append(await import_s(path, fast=True))
            slow.append(await import_s(path, fast=False))
        peer = "bare pipelined publish"
        yield _figure("import by fast ingest", _median(fast), Limit(50_000), peer, bare, fast)
        yield _figure("import by answered publishes", _median(slow), None, peer, bare, slow)
        async for figure in _exports(path, Path(name)):
            yield figure


async def _exports(path: Path, folder: Path) -> AsyncIterator[Figure]:
    async with EmbeddedServer(folder / "nats") as server:
        client = await connect(server.url, name="bench")
        await import_file(client, path)
        plain, packed, bare = [], [], []
        for _ in range(ROUNDS):
            bare.append(await bare_s(client, EVENTS))
            plain.append(await export_s(client, folder / "again.jsonl"))
            packed.append(await export_s(client, folder / "again.jsonl.zst"))
        assert (folder / "again.jsonl").read_bytes() == path.read_bytes()
        await client.close()
    yield _figure("export", _median(plain), None, "bare pull loop", bare, plain)
    yield _figure("export, compressed", _median(packed), None, "bare pull loop", bare, packed)


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds)


def _figure(
    what: str,
    seconds: float,
    limit: Limit | None = None,
    peer: str = "",
    theirs: list[float] | None = None,
    ours: list[float] | None = None,
) -> Figure:
    beside = None
    if theirs and ours:
        ratio = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
        beside = Peer(name=peer, value=EVENTS / _median(theirs), ratio=ratio)
    return Figure(
        what=f"{what}, {EVENTS:,} events",
        value=EVENTS / seconds,
        unit="events/s",
        limit=limit,
        peer=beside,
    )
