"""The server drops exactly what it is told to: whoever appends meanwhile, and whoever dies when."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from events.archive.lines import BaseRef
from events.connection import connect
from events.errors import AppendTimeout, LogError, LogUnavailable, NotAdmitted, StreamMismatch
from events.jetstream import History, JetStreamLog, Retention, open_blobs, open_log
from events.jetstream.turn import Turn
from events.log import Record
from node.server import CONFIG, EmbeddedServer
from tests.tcp_proxy import TcpProxy

WRITERS = 8
ROUNDS = 6


@pytest.fixture
async def client(server: EmbeddedServer) -> AsyncIterator[Client]:
    client = await connect(server.url, name="test")
    yield client
    await client.close()


@pytest.fixture
async def log(client: Client) -> AsyncIterator[JetStreamLog]:
    log = await open_log(client)
    yield log
    await log.close()


def silent(_: int) -> None:
    """Tell nobody."""


async def fill(log: JetStreamLog, count: int, name: str = "fill") -> list[int]:
    """Append messages, and return their positions."""
    subject = f"lota.ev.00.{name}.c.node.a.b"
    answers = [log.append(subject, b"%d" % n, id=f"{name}-{n}") for n in range(count)]
    return await asyncio.gather(*answers)


async def base_at(client: Client, position: int) -> BaseRef:
    """Store a base, whatever it says, and return where it is."""
    return BaseRef(position, await (await open_blobs(client)).put(b"base %d" % position))


async def api(client: Client, subject: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the JetStream API."""
    answer = await client.request(f"$JS.API.{subject}", json.dumps(body).encode(), timeout=5)
    found: dict[str, Any] = json.loads(answer.data)
    return found


async def kept(log: JetStreamLog, after: int) -> list[Record]:
    return [record async for batch in log.read(after=after) for record in batch]


class Writer:
    """Appends one message after the other, each until it is stored, until it is told to stop."""

    def __init__(self, client: Client, log: JetStreamLog, name: str) -> None:
        self.stored: dict[int, bytes] = {}
        self.grown = asyncio.Event()
        self._client = client
        self._log = log
        self._name = name
        self._stopped = False
        self._task = asyncio.ensure_future(self._write())

    @classmethod
    async def begin(cls, url: str, name: str) -> "Writer":
        client = await connect(url, name=name)
        return cls(client, await open_log(client), name)

    async def end(self) -> None:
        self._stopped = True
        await self._task
        await self._log.close()
        await self._client.close()

    async def _write(self) -> None:
        number = 0
        while not self._stopped:
            body = f"{self._name} {number}".encode()
            try:
                position = await self._log.append(
                    f"lota.ev.00.{self._name}.c.node.a.b", body, id=body.decode()
                )
            except (LogUnavailable, AppendTimeout):
                continue  # parked; the same again
            self.stored[position] = body
            number += 1
            self.grown.set()


async def test_whoever_appends_meanwhile_loses_nothing(
    server: EmbeddedServer, client: Client, log: JetStreamLog
) -> None:
    """While many append without a pause, the log begins just behind each base, in any steps."""
    await fill(log, 500)
    writers = [await Writer.begin(server.url, f"w{n}") for n in range(WRITERS)]
    retention = Retention(client, step_messages=700)
    before: BaseRef | None = None
    for _ in range(ROUNDS):
        for writer in writers:
            writer.grown.clear()
            await writer.grown.wait()
        base = await base_at(client, await log.last() - 7)
        gone: list[int] = []
        await retention.drop(base, before=before, progress=gone.append)
        state = await retention.state()
        assert (state.first, state.base) == (base.position + 1, base)
        assert sum(gone) == base.position - (before.position if before else 0)
        before = base
    for writer in writers:
        await writer.end()
    assert before is not None
    records = await kept(log, before.position)
    assert [r.position for r in records] == list(range(before.position + 1, await log.last() + 1))
    there = {record.position: record.body for record in records}
    acked = {position: body for w in writers for position, body in w.stored.items()}
    assert {p: b for p, b in acked.items() if p > before.position}.items() <= there.items()
    everything = sorted([*acked, *range(1, 501)])
    assert everything == list(range(1, len(everything) + 1))  # no position was lost or used twice


async def test_the_configuration_is_as_before(client: Client, log: JetStreamLog) -> None:
    """Afterwards the stream differs in its metadata alone, and whoever attaches is content."""
    await fill(log, 20)
    before = (await api(client, "STREAM.INFO.LOTA", {}))["config"]
    base = await base_at(client, 12)
    await Retention(client).drop(base, before=None, progress=silent)
    after = (await api(client, "STREAM.INFO.LOTA", {}))["config"]
    assert json.loads(after.pop("metadata").pop("lota.base")) == {"position": 12, "blob": base.blob}
    before.pop("metadata")
    assert after == before
    await (await open_log(client)).close()


async def test_a_repeat_drops_nothing(client: Client, log: JetStreamLog) -> None:
    """To drop the same again is a success without effect."""
    await fill(log, 20)
    base = await base_at(client, 12)
    for _ in range(2):
        await Retention(client).drop(base, before=None, progress=silent)
        assert (await Retention(client).state()).first == 13


async def test_two_archives_cannot_cross(client: Client, log: JetStreamLog) -> None:
    """Who planned from another base than the log has now is refused, and nothing is dropped."""
    await fill(log, 20)
    await Retention(client).drop(await base_at(client, 5), before=None, progress=silent)
    with pytest.raises(LogError, match="somebody else"):
        await Retention(client).drop(await base_at(client, 12), before=None, progress=silent)
    assert (await Retention(client).state()).first == 6
    await fill(log, 1, "other")


async def test_two_archives_at_once(
    server: EmbeddedServer, client: Client, log: JetStreamLog
) -> None:
    """Of two that drop at the same time at least one does, and nothing behind its base goes."""
    await fill(log, 1_000)
    writers = [await Writer.begin(server.url, f"w{n}") for n in range(WRITERS)]
    operators = [await connect(server.url, name=f"operator{n}") for n in range(2)]
    before: BaseRef | None = None
    for _ in range(ROUNDS):
        last = await log.last()
        drops = [
            Retention(operator).drop(
                await base_at(client, last - behind), before=before, progress=silent
            )
            for operator, behind in zip(operators, (40, 20), strict=True)
        ]
        done = await asyncio.gather(*drops, return_exceptions=True)
        assert None in done
        assert all(isinstance(error, LogError) for error in done if error is not None)
        before = (await Retention(client).state()).base
        assert before is not None
        assert (await kept(log, 0))[0].position == before.position + 1
        for writer in writers:
            writer.grown.clear()
            await writer.grown.wait()
    for writer in writers:
        await writer.end()
    for operator in operators:
        await operator.close()


async def test_who_was_away_for_too_long_drops_nothing(client: Client, log: JetStreamLog) -> None:
    """Whose turn another has taken while it was stopped neither drops nor takes into use."""
    await fill(log, 20)
    slow, fast = Turn(client, 0), Turn(client, 0)
    await slow.take(1)
    await fast.take(1)
    with pytest.raises(LogUnavailable, match="another archive"):
        await slow.confirm()
    await slow.release()
    await fast.confirm()
    with pytest.raises(LogUnavailable, match="another archive"):
        await Turn(client, 120_000).take(2)
    await fast.release()
    await Turn(client, 120_000).take(120_001)


async def test_what_found_no_answer_is_waited_out(server: EmbeddedServer, client: Client) -> None:
    """After a lost connection the log is in use again; others wait for what may still arrive."""
    log = await open_log(client)
    await fill(log, 20)
    base = await base_at(client, 12)
    async with TcpProxy(server.port) as proxy:
        cut = await connect(proxy.url, name="cut")
        proxy.break_at(0, among=b"lota.ev.archiving")
        with pytest.raises(LogUnavailable):
            await Retention(cut).drop(base, before=None, progress=silent)
        await cut.close()
    assert await fill(log, 1, "after") == [21]
    with pytest.raises(LogUnavailable, match="another archive"):
        await Retention(client).drop(base, before=None, progress=silent)
    await Retention(client, abandoned_ms=0).drop(base, before=None, progress=silent)
    assert (await Retention(client).state()).first == 13
    await log.close()


async def test_a_part_that_is_read_meanwhile(client: Client, log: JetStreamLog) -> None:
    """Who reads the messages of one job with their times is told that some may have gone."""
    await fill(log, 10, "one")
    await fill(log, 10, "two")
    history = History(client)
    reading = history.read("lota.ev.00.two.>", first=1, last=20)
    await anext(reading)
    await Retention(client).drop(await base_at(client, 15), before=None, progress=silent)
    with pytest.raises(LogError, match="begins at position 16 now"):
        await anext(reading)
    with pytest.raises(LogError, match="begins at position 16 now"):
        await anext(history.read("lota.ev.00.one.>", first=1, last=20))
    part = history.read("lota.ev.00.two.>", first=16, last=20)
    assert [one.position async for batch in part for one in batch] == [*range(16, 21)]


async def test_republishing_goes_on(server: EmbeddedServer) -> None:
    """A stream that republishes can be archived, and republishes afterwards."""
    client = await connect(server.url, name="live")
    log = await open_log(client, republish=True)
    await fill(log, 10)
    await Retention(client).drop(await base_at(client, 5), before=None, progress=silent)
    live = await client.subscribe("lota.live.>")
    await fill(log, 1, "other")
    assert (await live.next_msg(timeout=5)).subject == "lota.live.00.other.c.node.a.b"
    await log.close()
    await client.close()


async def park(client: Client) -> None:
    """Leave the log as an archive does that died between its steps."""
    found = await api(client, "STREAM.INFO.LOTA", {})
    config = found["config"] | {"subjects": ["lota.ev.archiving.x"], "max_msgs": 1}
    config["metadata"]["lota.archiving"] = found["ts"]
    assert "error" not in await api(client, "STREAM.UPDATE.LOTA", config)


async def test_a_parked_log_says_so(client: Client, log: JetStreamLog) -> None:
    """It takes nothing and loses nothing; who attaches is told what to do, and recovering helps."""
    await fill(log, 10)
    await park(client)
    with pytest.raises(LogUnavailable):
        await fill(log, 1, "parked")
    with pytest.raises(StreamMismatch, match="archive") as raised:
        await open_log(client)
    assert "lota log archive" in raised.value.hint
    with pytest.raises(LogUnavailable, match="under way"):
        await Retention(client).recover()
    assert await Retention(client, abandoned_ms=0).recover()
    assert not await Retention(client, abandoned_ms=0).recover()
    assert await fill(log, 1, "again") == [11]
    assert len(await kept(log, 0)) == 11


async def test_a_lost_answer_leaves_the_log_in_use(client: Client, log: JetStreamLog) -> None:
    """Who is cancelled while the log is parked puts it back first."""
    await fill(log, 2_000)
    retention = Retention(client, step_messages=10)
    steps: list[int] = []
    moved = asyncio.Event()

    def progress(count: int) -> None:
        steps.append(count)
        moved.set()

    dropping = asyncio.ensure_future(
        retention.drop(await base_at(client, 1_990), before=None, progress=progress)
    )
    await moved.wait()
    dropping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dropping
    position = (await fill(log, 1, "after"))[0]
    state = await retention.state()
    assert position == 2_001
    assert state.messages >= 2_001 - sum(steps) - 10


LOGINS = """
authorization { users: [
  { user: "admin", password: "p" }
  { user: "node", password: "p", permissions: { publish: { deny: "$JS.API.STREAM.UPDATE.>" } } }
] }
"""


async def test_who_may_not_change_the_stream_is_told(tmp_path: Path) -> None:
    """The error names what is to be permitted; the log stays as it was and in use."""
    config = tmp_path / "logins.conf"
    config.write_text(CONFIG.read_text() + LOGINS)
    async with EmbeddedServer(tmp_path / "server", config=config) as server:
        admin = await connect(server.url, name="admin", user="admin", password="p")
        node = await connect(server.url, name="node", user="node", password="p")
        log = await open_log(admin)
        await fill(log, 10)
        base = await base_at(admin, 5)
        with pytest.raises(NotAdmitted, match="does not let this process"):
            await Retention(node).drop(base, before=None, progress=silent)
        assert (await Retention(admin).state()).first == 1
        assert await fill(log, 1, "after") == [11]
        await log.close()
        await node.close()
        await admin.close()


STEPS = range(6)
"""Messages between the command and the server while the log is parked: see `Retention`."""


@pytest.mark.parametrize("step", STEPS)
async def test_a_server_killed_under_way(server: EmbeddedServer, step: int) -> None:
    """A server that dies at any step keeps each message behind the base, and the drop goes on."""
    client = await connect(server.url, name="test")
    log = await open_log(client)
    await fill(log, 3_000)
    base = await base_at(client, 2_900)
    await log.close()
    await client.close()

    def kill() -> None:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)

    async with TcpProxy(server.port) as proxy:
        client = await connect(proxy.url, name="killed")
        proxy.break_at(step, kill, among=b"lota.ev.archiving")
        dropping = asyncio.ensure_future(Retention(client).drop(base, before=None, progress=silent))
        while not proxy.broke and not dropping.done():
            await asyncio.wait((dropping,), timeout=0.05)
        assert proxy.broke
        dropping.cancel()
        await client.close()
        await asyncio.wait((dropping,))
    await server.kill()
    await server.start()
    client = await connect(server.url, name="again")
    retention = Retention(client, abandoned_ms=0)
    await retention.recover()
    assert (await retention.state()).base in (None, base)
    assert (await retention.state()).last == 3_000
    await retention.drop(base, before=None, progress=silent)
    log = await open_log(client)
    assert [record.position for record in await kept(log, 0)] == list(range(2_901, 3_001))
    assert await fill(log, 1, "after") == [3_001]
    await log.close()
    await client.close()
