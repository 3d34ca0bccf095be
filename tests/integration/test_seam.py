"""The seam between what is stored and what comes, while the server dies and others write on."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest

import events
from events.connection import connect
from events.errors import AppendTimeout, LogUnavailable
from events.jetstream import JetStreamLog, open_log
from events.subjects import subject
from node.server import EmbeddedServer
from tests.events.documents import GOLDEN
from tests.lota_process import LOTA, Machine

BID = json.loads((GOLDEN / "lota.bids.placed.v1.json").read_bytes())
STORED = 2_500
"""More than one pull request of a reader."""
PACE_S = 0.005
"""How often a writer appends, so that the log does not outgrow the test."""


async def append(log: JetStreamLog, name: str, number: int) -> None:
    """Append one bid until it is surely stored, once."""
    body = json.dumps({**BID, "id": f"{name}-{number}", "subject": name}).encode()
    place = subject(name, "c", "node-1", "bids.placed")
    while True:
        with suppress(AppendTimeout, LogUnavailable):
            await log.append(place, body, id=f"{name}-{number}")
            return


async def write(url: str, name: str, count: int, enough: asyncio.Event | None = None) -> None:
    """Append `count` bids over a connection of its own, and on until it is `enough`."""
    client = await connect(url, name=name)
    log = await open_log(client, append_timeout_s=0.5)
    await asyncio.gather(*(append(log, name, number) for number in range(count)))
    for number in itertools.count(count):
        if enough is None or enough.is_set():
            break
        await append(log, name, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(enough.wait(), PACE_S)
    await log.close()
    await client.close()


@asynccontextmanager
async def writers(url: str) -> AsyncIterator[None]:
    """Let three write on for the time of a block, behind what is there already."""
    await write(url, "before", STORED)
    enough = asyncio.Event()
    tasks = [asyncio.ensure_future(write(url, name, 100, enough)) for name in "abc"]
    yield
    enough.set()
    await asyncio.gather(*tasks)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A home with nothing in it."""
    return Machine(tmp_path)


async def stored(url: str) -> tuple[list[int], list[str]]:
    """Return the position and the body of all that the log holds."""
    client = await connect(url, name="test")
    log = await open_log(client)
    records = [record async for batch in log.read() for record in batch]
    await log.close()
    await client.close()
    return [record.position for record in records], [record.body.decode() for record in records]


async def test_the_command_prints_each_event_once(server: EmbeddedServer, machine: Machine) -> None:
    """Over a stop and a kill of the server it prints every event once, in order, and says so."""
    words = (LOTA, "events", "tail", "--follow", "-o", "json", "--server", server.url)
    async with writers(server.url), machine.start(*words) as running:
        await running.line('"a-75"')
        await server.stop()
        await running.line("connection to the server is lost")
        await server.start()
        await write(server.url, "middle", 1)
        await running.line('"middle-0"')
        await server.kill()
        await server.start()
        await write(server.url, "end", 1)
        await running.line('"end-0"')
        ran = await running.interrupt()
    _, bodies = await stored(server.url)

    printed = ran.out.splitlines()
    assert len(printed) > STORED
    assert printed == bodies[: len(printed)]
    assert (ran.code, ran.err.count("is lost")) == (130, 2)
    assert ran.err.count("lota: connected again\n") == 2


async def test_the_iterator_yields_each_event_once(server: EmbeddedServer) -> None:
    """So does the Python API, for a reader that is slower than the writers."""
    found: list[int] = []
    async with (
        writers(server.url),
        events.connect(server.url) as lota,
        aclosing(lota.tail(types=["bids.placed"], follow=True)) as tail,
    ):
        async for entry in tail:
            found.append(entry.position)
            if entry.event.id == "b-75":
                await server.kill()
                await server.start()
                await write(server.url, "middle", 1)
            if entry.event.id == "middle-0":
                await server.stop()
                await server.start()
                await write(server.url, "end", 1)
            if entry.event.id == "end-0":
                break
    positions, _ = await stored(server.url)

    assert len(found) > STORED
    assert found == positions[: len(found)]
