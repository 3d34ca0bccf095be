"""What the JetStream log promises while connections break and servers are killed."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from events.connection import connect
from events.errors import AppendTimeout, LogError, LogUnavailable
from events.jetstream import JetStreamLog, open_log
from events.log import Expect, Record
from node.server import EmbeddedServer
from tests.tcp_proxy import TcpProxy

JOB = "lota.ev.00.j1"
FACT = f"{JOB}.c.n1.a.b"
DECISION = f"{JOB}.r.n1.a.b"
FENCE = Expect(f"{JOB}.r.>", 0)


@pytest.fixture
async def proxy(server: EmbeddedServer) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(server.port) as started:
        yield started


@asynccontextmanager
async def attached(url: str, **options: float) -> AsyncIterator[tuple[Client, JetStreamLog]]:
    """Connect and open the log."""
    client = await connect(url, name="faults")
    log = await open_log(client, **options)  # type: ignore[arg-type] # a time-out or nothing
    yield client, log
    await log.close()
    await client.close()


async def fill(log: JetStreamLog, count: int, first: int = 0) -> None:
    """Append facts that are numbered on."""
    await asyncio.gather(
        *[log.append(FACT, b"%d" % n, id=f"fact-{n}") for n in range(first, first + count)]
    )


async def take(batches: AsyncIterator[list[Record]], count: int) -> list[int]:
    """Take the numbers of so many facts from a follow."""
    numbers: list[int] = []
    while len(numbers) < count:
        numbers += [int(record.body) for record in await anext(batches)]
    return numbers


def notice_disconnect(client: Client) -> asyncio.Event:
    """Return an event that is set when the client has noticed that its server is gone."""
    gone = asyncio.Event()

    async def disconnected() -> None:
        gone.set()

    client._disconnected_cb = disconnected
    return gone


def lose_one_in(client: Client, period: int) -> None:
    """Throw away one delivery in `period`, as a client does whose buffers are full."""
    deliver = client._build_message
    count = itertools.count(1)

    def lossy(
        sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Any:
        if reply.startswith(b"$JS.ACK") and next(count) % period == 0:
            return None
        return deliver(sid, subject, reply, data, headers)

    client._build_message = lossy  # type: ignore[method-assign] # where nats-py drops messages


@pytest.mark.parametrize("expect", [None, FENCE], ids=["plain", "fenced"])
async def test_a_repeat_after_a_lost_ack(proxy: TcpProxy, expect: Expect | None) -> None:
    """When the ack of a stored append is lost, its repeat resolves to the first's position."""
    async with attached(proxy.url) as (_, log):
        proxy.lose_answers = True
        answer = log.append(DECISION, b"{}", id="once", expect=expect)
        await proxy.lost.wait()
        proxy.lose_answers = False
        proxy.cut()
        with pytest.raises(AppendTimeout):
            await answer
        assert await log.append(DECISION, b"{}", id="once", expect=expect) == 1
        assert await log.last() == 1


async def test_no_answer_is_a_time_out(proxy: TcpProxy) -> None:
    """An append that nobody answers raises AppendTimeout when its time is up."""
    async with attached(proxy.url, append_timeout_s=0.2) as (_, log):
        proxy.lose_answers = True
        with pytest.raises(AppendTimeout, match="repeat it with the same id"):
            await log.append(FACT, b"{}", id="unheard")
        proxy.cut()


async def test_appends_wait_for_the_server_to_return(server: EmbeddedServer) -> None:
    """What is appended while the server is away is stored when it is back."""
    async with attached(server.url) as (client, log):
        gone = notice_disconnect(client)
        await server.kill()
        await gone.wait()
        answer = log.append(FACT, b"{}", id="patient")
        await server.start()
        assert await answer == 1


async def test_a_broken_connection_fails_appends_soon(proxy: TcpProxy) -> None:
    """Appends whose connection broke raise after the reconnect, long before their time-out."""
    async with attached(proxy.url, append_timeout_s=3600.0) as (_, log):
        proxy.lose_answers = True
        answers = [log.append(FACT, b"{}", id=f"doubt-{n}") for n in range(300)]
        await proxy.lost.wait()
        proxy.lose_answers = False
        proxy.cut()
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        assert all(isinstance(outcome, AppendTimeout) for outcome in outcomes)


async def test_too_much_for_an_absent_server_is_refused(server: EmbeddedServer) -> None:
    """While the server is away, appends beyond the buffer fail at once and are not stored."""
    async with attached(server.url) as (client, log):
        gone = notice_disconnect(client)
        await server.kill()
        await gone.wait()
        answers = [log.append(FACT, bytes(900_000), id=f"big-{n}") for n in range(8)]
        await server.start()
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        stored = [outcome for outcome in outcomes if isinstance(outcome, int)]
        refused = [outcome for outcome in outcomes if isinstance(outcome, LogUnavailable)]
        assert len(stored) + len(refused) == 8
        assert refused
        assert await log.last() == len(stored)


async def test_appends_without_answers_are_bounded(server: EmbeddedServer) -> None:
    """Beyond a bound on what waits for answers, an append is refused at once."""
    async with attached(server.url) as (_, log):
        answers = [log.append(FACT, bytes(1_000_000), id=f"much-{n}") for n in range(80)]
        assert isinstance(answers[-1].exception(), LogUnavailable)
        assert isinstance(await answers[0], int)
        await asyncio.gather(*answers, return_exceptions=True)


async def test_a_read_survives_the_death_of_the_server(server: EmbeddedServer) -> None:
    """A server killed and restarted in the middle of a read costs no record and repeats none."""
    async with attached(server.url) as (_, log):
        await fill(log, 9_000)
        batches = log.read([f"{JOB}.>"])
        numbers = [int(record.body) for record in await anext(batches)]
        await server.kill()
        await server.start()
        async for batch in batches:
            numbers += [int(record.body) for record in batch]
        assert numbers == list(range(9_000))


async def test_a_follow_survives_the_death_of_the_server(server: EmbeddedServer) -> None:
    """A follow goes on after a restart, also with what was appended since."""
    async with attached(server.url) as (_, log):
        await fill(log, 3_000)
        batches = log.follow()
        numbers = await take(batches, 1)
        await server.kill()
        await server.start()
        async with attached(server.url) as (_, other):
            await fill(other, 3_000, first=3_000)
        numbers += await take(batches, 6_000 - len(numbers))
        assert numbers == list(range(6_000))


async def test_a_log_with_another_end_is_noticed(tmp_path: Path) -> None:
    """A follow says so when the server comes back with other messages where it had read some."""
    async with EmbeddedServer(tmp_path / "nats") as server, attached(server.url) as (_, log):
        await fill(log, 10)
        await server.stop()
        shutil.copytree(server.store, tmp_path / "backup")
        await server.start()
        await fill(log, 10, first=10)
        batches = log.follow()
        assert await take(batches, 20) == list(range(20))
        await server.stop()
        shutil.rmtree(server.store)
        async with (
            EmbeddedServer(tmp_path / "backup") as restored,
            attached(restored.url) as (_, other),
        ):
            await fill(other, 20, first=100)
        shutil.copytree(tmp_path / "backup", server.store)
        await server.start()
        with pytest.raises(LogError, match="another message at 20"):
            await anext(batches)


async def test_a_follow_survives_cuts(proxy: TcpProxy, server: EmbeddedServer) -> None:
    """Connections that break again and again, with bytes lost, make no gap and no repeat."""
    async with attached(proxy.url) as (_, log), attached(server.url) as (_, writer):
        batches = log.follow()
        numbers: list[int] = []
        for turn in range(5):
            await fill(writer, 2_500, first=2_500 * turn)
            if turn == 4:
                break
            numbers += await take(batches, 1)
            proxy.lose_answers = turn % 2 == 1
            proxy.cut()
            proxy.lose_answers = False
        numbers += await take(batches, 12_500 - len(numbers))
        assert numbers == list(range(12_500))


async def test_a_follow_survives_its_consumer(server: EmbeddedServer) -> None:
    """A consumer that the server forgets is replaced."""
    async with attached(server.url) as (client, log):
        await fill(log, 10)
        batches = log.follow()
        numbers = await take(batches, 10)
        waiting = asyncio.ensure_future(anext(batches))
        management = client.jetstream()
        for consumer in await management.consumers_info("LOTA"):
            await management.delete_consumer("LOTA", consumer.name)
        await fill(log, 10, first=10)
        numbers += [int(record.body) for record in await waiting]
        numbers += await take(batches, 20 - len(numbers))
        assert numbers == list(range(20))


async def test_a_gap_is_read_again(server: EmbeddedServer) -> None:
    """Messages lost between the socket and the reader are noticed by their numbers."""
    async with attached(server.url) as (client, log):
        await fill(log, 5_000)
        lose_one_in(client, 700)
        numbers = [int(record.body) async for batch in log.read() for record in batch]
        assert numbers == list(range(5_000))


async def test_a_slow_reader_holds_the_server_back(server: EmbeddedServer) -> None:
    """What is buffered for a reader that does not read on is bounded by two pull requests."""
    async with attached(server.url) as (client, log):
        await fill(log, 12_000)
        batches = log.read()
        before = client.stats["in_msgs"]
        numbers = [int(record.body) for record in await anext(batches)]
        for _ in range(20):
            await log.last()
        assert client.stats["in_msgs"] - before < 4_000 + len(numbers) + 100
        async for batch in batches:
            numbers += [int(record.body) for record in batch]
        assert numbers == list(range(12_000))


async def test_who_reads_little_is_sent_little(server: EmbeddedServer) -> None:
    """A reader that takes the first messages of a long log and leaves is not sent thousands."""
    async with attached(server.url) as (client, log):
        await fill(log, 12_000)
        before = client.stats["in_msgs"]
        async with aclosing(log.read()) as batches:  # type: ignore[type-var] # it is a generator
            assert len(await anext(batches)) <= 500
        for _ in range(20):
            await log.last()
        assert client.stats["in_msgs"] - before < 1_500


@pytest.mark.parametrize(("count", "size_bytes"), [(12_000, 10), (40, 900_000)])
async def test_a_read_without_faults_needs_one_consumer(
    server: EmbeddedServer, count: int, size_bytes: int
) -> None:
    """Pull requests that end because they are filled are no reason to begin again."""
    async with attached(server.url) as (client, log):
        for first in range(0, count, 40):
            bodies = [bytes(size_bytes)] * 40
            await asyncio.gather(
                *[log.append(FACT, body, id=f"{first}-{n}") for n, body in enumerate(bodies)]
            )
        await log.last()
        before = client._sid
        assert sum([len(batch) async for batch in log.read()]) == count
        assert client._sid == before + 1


async def test_readers_leave_nothing_behind(server: EmbeddedServer) -> None:
    """Reads that ended, by themselves or by their user, leave no consumer and no subscription."""
    async with attached(server.url) as (client, log):
        await fill(log, 10)
        subscriptions = set(client._subs)
        async for _ in log.read():
            break
        assert [len(batch) async for batch in log.read()] == [10]
        batches = log.follow()
        await anext(batches)
        await batches.aclose()  # type: ignore[attr-defined] # it is a generator
        await log.last()
        assert set(client._subs) == subscriptions
        assert await client.jetstream().consumers_info("LOTA") == []


async def test_a_closed_connection_ends_reads(server: EmbeddedServer) -> None:
    """When the connection is closed for good, a follow raises LogUnavailable."""
    async with attached(server.url) as (client, log):
        await fill(log, 1)
        batches = log.follow()
        await take(batches, 1)
        waiting = asyncio.ensure_future(anext(batches))
        await client.close()
        with pytest.raises(LogUnavailable):
            await waiting
