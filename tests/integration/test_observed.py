"""Commands that observe a server's log: from a cache of their own, whatever becomes of the log."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from events.clock import now_ms
from events.connection import connect
from events.jetstream import JetStreamLog, open_log
from events.log import Record
from node.cli.observed import observed, observing
from node.cli.server import Server
from node.cli.top_document import top_document
from node.observer.folder import cache_folder, locked_folder
from node.observer.observer import Observer
from node.server import EmbeddedServer
from projections.travel import Travel, network_view
from tests.integration.dying_observer import SPACING
from tests.integration.test_log_faults import notice_disconnect
from tests.node.observer.watched import no_times, reached
from tests.projections.story import story

PATIENCE_S = 15.0
"""A read waits twice as long for a server that is away."""


@asynccontextmanager
async def log_at(url: str) -> AsyncIterator[JetStreamLog]:
    """Connect to the log of a server."""
    client = await connect(url, name="test")
    log = await open_log(client)
    try:
        yield log
    finally:
        await log.close()
        await client.close()


@pytest.fixture
async def log(server: EmbeddedServer) -> AsyncIterator[JetStreamLog]:
    async with log_at(server.url) as log:
        yield log


async def put(log: JetStreamLog, records: tuple[Record, ...]) -> None:
    """Store messages on a server, at the positions that they have."""
    appended = [
        log.append(record.subject, record.body, id=str(record.position)) for record in records
    ]
    assert [await one for one in appended] == [record.position for record in records]


def plain(records: tuple[Record, ...]) -> dict[str, object]:
    """Return the network after these by a fold of all."""
    travel = Travel()
    for record in records:
        travel.fold(record)
    return network_view(travel)


async def seen(url: str) -> tuple[dict[str, object], Path]:
    """Return the network as a command observes it, and where it keeps that."""
    async with observed(Server(server=url)) as found:
        assert found.client is not None
        assert found.client.is_connected
        past = await found.observer.at(None)
        return network_view(past.travel), found.observer.store.path.parent


async def test_a_command_goes_on_where_the_last_one_ended(
    server: EmbeddedServer, log: JetStreamLog
) -> None:
    """What one command has folded of a server's log, the next one has at once."""
    records = story(5)
    await put(log, records[:150])
    assert await seen(server.url) == (plain(records[:150]), cache_folder(server.url))
    await put(log, records[150:])
    assert await seen(server.url) == (plain(records), cache_folder(server.url))


async def test_two_commands_at_once(server: EmbeddedServer, log: JetStreamLog) -> None:
    """A command that finds the cache in use folds the log once more, and leaves nothing behind."""
    records = story(5)
    await put(log, records)
    with locked_folder(cache_folder(server.url)):
        network, folder = await seen(server.url)
    assert network == plain(records)
    assert folder != cache_folder(server.url)
    assert not folder.exists()


async def test_pasts_by_time(server: EmbeddedServer, log: JetStreamLog) -> None:
    """The position at a time is that of the last message that was stored by then, to 1 ms."""
    records = story(5)[:60]
    await put(log, records)
    times = [record.stored_ms async for part in log.read() for record in part]
    async with observed(Server(server=server.url)) as found:
        assert await found.observer.position_at(times[0] - 1) == 0
        assert await found.observer.position_at(times[-1] + 1) == len(records)
        middle = await found.observer.position_at(times[30])
        assert times[middle - 1] <= times[30]
        assert middle == len(records) or times[middle] >= times[30]


async def test_a_server_that_was_wiped(tmp_path: Path) -> None:
    """At the address of another log than before, the new one is shown."""
    port = 0
    for number, records in enumerate((story(5), story(3))):
        async with (
            EmbeddedServer(tmp_path / f"nats{number}", port) as server,
            log_at(server.url) as log,
        ):
            await put(log, records)
            assert (await seen(server.url))[0] == plain(records)
            port = int(server.url.rpartition(":")[2])


@pytest.mark.parametrize("name", ["nats://127.0.0.1:4222", "x"])
def test_folders_are_by_name(name: str, cache: Path) -> None:
    """Each log has a folder of its own, below the user's cache."""
    assert cache_folder(name).is_relative_to(cache)
    assert cache_folder(name) != cache_folder(f"{name}2")


async def killed(
    url: str, folder: Path, log: JetStreamLog, parts: Sequence[tuple[Record, ...]]
) -> None:
    """Have an observer follow the log while it grows, and kill it in the midst."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.integration.dying_observer", url, str(folder)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    assert await child.stdout.readline()
    for part in parts:
        await put(log, part)
        assert await child.stdout.readline()
    child.kill()
    await child.wait()


async def test_killed_in_the_midst(
    server: EmbeddedServer, log: JetStreamLog, tmp_path: Path
) -> None:
    """An observer that was killed again and again has the rows and pasts of one that was not."""
    records = story(5)
    chance = Random(5)
    folder = tmp_path / "observer"
    folder.mkdir()
    at = 0
    while at < len(records):
        cuts = [at, *(at := at + chance.randint(5, 25) for _ in range(4))]
        parts = [records[begin:end] for begin, end in pairwise(cuts) if begin < len(records)]
        await killed(server.url, folder, log, parts)
    async with Observer.open(log, folder, no_times, spacing=SPACING) as observer:
        await observer.ready.wait()
        for position in range(1, len(records), 7):
            past = await observer.at(position)
            assert network_view(past.travel) == plain(records[:position])
        await observer.jobs(past=await observer.at(None))
        digest = await observer.store.digest()
    (tmp_path / "fresh").mkdir()
    async with Observer.open(log, tmp_path / "fresh", no_times) as observer:
        await observer.ready.wait()
        await observer.jobs(past=await observer.at(None))
        assert await observer.store.digest() == digest


async def test_a_server_that_is_wiped_meanwhile(tmp_path: Path) -> None:
    """An observer whose server comes back without its log shows the new one."""
    records = story(3)
    async with (
        EmbeddedServer(tmp_path / "nats") as server,
        observing(Server(server=server.url)) as found,
    ):
        observer = found.observer
        async with log_at(server.url) as log:
            await put(log, story(5))
        await reached(observer, len(story(5)))
        assert network_view((await observer.at(50)).travel) == plain(story(5)[:50])
        await server.stop()
        shutil.rmtree(server.store)
        await server.start()
        async with log_at(server.url) as log:
            await put(log, records[:-1])
            await shown(observer, plain(records[:-1]))
            await put(log, records[-1:])
            await shown(observer, plain(records))
            assert network_view((await observer.at(50)).travel) == plain(records[:50])


async def test_a_server_that_is_away(server: EmbeddedServer, log: JetStreamLog) -> None:
    """A command whose server has gone shows what it knows, soon, and ends in good order."""
    records = story(5)
    await put(log, records)
    async with observed(Server(server=server.url)) as found, asyncio.timeout(PATIENCE_S):
        assert found.client is not None
        gone = notice_disconnect(found.client)
        await server.kill()
        await gone.wait()
        view = await top_document(found.observer, now_ms())
        assert (view["position"], view["events"]) == (len(records), [])
    await server.start()


async def shown(observer: Observer, network: dict[str, object]) -> None:
    """Wait until an observer shows this network."""
    async with aclosing(observer.changes()) as changes:
        while network_view((await observer.at(None)).travel) != network:
            await anext(changes)
