"""The subscriber in JavaScript: every event fits its schema, and what does not is found."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from events.jetstream import JetStreamLog
from events.log import Record
from events.subjects import subject
from node.cli import demo
from node.cli.server import Server, connected
from node.demo import census
from node.local import LocalConfig, LocalNetwork
from node.server import EmbeddedServer
from tests.events.documents import GOLDEN
from tests.examples.js_subscriber import js_subscriber
from tests.examples.stored import golden_records, simulated_records, store
from tests.lota_process import Machine


@pytest.fixture
def program(machine: Machine) -> Path:
    """The subscriber with its packages."""
    return js_subscriber(machine.folder / "checkout")


def counted(printed: str) -> Counter[str]:
    """Return the counts by type that the subscriber has printed."""
    found = re.findall(r"^ *(\d+)  (lota\.\S+)$", printed, re.MULTILINE)
    return Counter({name: int(count) for count, name in found})


def types(records: list[Record]) -> Counter[str]:
    return Counter(json.loads(record.body)["type"] for record in records)


async def everything(log: JetStreamLog) -> list[Record]:
    return [record async for batch in log.read() for record in batch]


async def test_every_event_of_the_demo_fits(
    tmp_path: Path, machine: Machine, program: Path
) -> None:
    """It follows the demo's job as it runs, and finds every event valid as it comes and later."""
    data = tmp_path / "stdlib"
    data.mkdir()
    for number in range(24):
        (data / f"source{number}.py").write_text(f"import os\nx = {number}\n")
    script = Path(census.__file__)
    config = LocalConfig(
        folder=tmp_path / "network",
        publish_root=tmp_path / "published",
        engines=("process",),
        allow_paths=(str(data), str(script)),
    )
    async with (
        LocalNetwork(config) as network,
        connected(Server(network.url)) as connection,
        machine.start("node", program, "--follow", LOTA_SERVER=network.url) as following,
    ):
        job, _ = await demo._run(connection, demo._spec(data, script))
        assert job.state == "completed"
        records = await everything(connection.log)
        await following.line(f"{records[-1].position} ")
        followed = await following.interrupt()
        async with machine.start("node", program, LOTA_SERVER=network.url) as running:
            read = await running.end()

    assert (followed.code, followed.err, read.code, read.err) == (0, "", 0, "")
    assert counted(read.out) == types(records)
    assert counted(followed.out) >= types(records)
    assert len(counted(read.out)) >= 9


@pytest.mark.parametrize("recorded", [golden_records, simulated_records])
async def test_every_kind_of_event_fits(
    server: EmbeddedServer,
    log: JetStreamLog,
    machine: Machine,
    program: Path,
    recorded: Callable[[], list[Record]],
) -> None:
    """Golden events, and those of a network with crashes and liars, fit their schemas by Ajv."""
    records = recorded()
    await store(log, records)

    async with machine.start("node", program, LOTA_SERVER=server.url) as running:
        ran = await running.end()

    assert (ran.code, ran.err) == (0, "")
    assert counted(ran.out) == types(records)


def bid(**changes: object) -> bytes:
    event = json.loads((GOLDEN / "lota.bids.placed.v1.json").read_bytes())
    return json.dumps({**event, **changes}).encode()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (bid(data={"bids": [{"offer": -1, "free": 1}]}), "data/bids/0/offer must be >= 0"),
        (bid(time="yesterday"), "data/time must match"),
        (b"\xff{", "no JSON document"),
        (b'{"id":"1"}', "no CloudEvents document"),
    ],
    ids=["data", "time", "noise", "type"],
)
async def test_ends_at_the_first_that_does_not_fit(
    server: EmbeddedServer,
    log: JetStreamLog,
    machine: Machine,
    program: Path,
    body: bytes,
    told: str,
) -> None:
    """An event that does not fit ends it with code 1 and a line that says where and why."""
    place = subject("job", "c", "node-1", "bids.placed")
    await store(log, [Record(1, place, bid()), Record(2, place, body), Record(3, place, bid())])

    async with machine.start("node", program, LOTA_SERVER=server.url) as running:
        ran = await running.end()

    assert ran.code == 1
    assert ran.err.startswith(f"subscribe.mjs: 2 {place}: ")
    assert told in ran.err


async def test_passes_over_types_of_a_newer_version(
    server: EmbeddedServer, log: JetStreamLog, machine: Machine, program: Path
) -> None:
    """An event of a type without a schema is counted as unknown, and a filter leaves it out."""
    place = subject("job", "c", "node-1", "bids.adopted")
    await store(log, [Record(1, place, bid(type="lota.bids.placed.v2", data=[]))])

    async with machine.start("node", program, LOTA_SERVER=server.url) as running:
        unknown = await running.end()
    async with machine.start("node", program, "lota.ev.*.*.r.>", LOTA_SERVER=server.url) as running:
        empty = await running.end()

    assert (unknown.code, unknown.err) == (0, "")
    assert "1  lota.bids.placed.v2 (unknown)" in unknown.out
    assert (empty.code, empty.out) == (0, "0 events, all valid\n")


async def test_follows_across_a_restart_of_the_server(
    server: EmbeddedServer, log: JetStreamLog, machine: Machine, program: Path
) -> None:
    """It goes on where it stood when the server comes back, without a gap and without a repeat."""
    place = subject("job", "c", "node-1", "bids.placed")
    await store(log, [Record(1, place, bid()), Record(2, place, bid())])
    async with machine.start("node", program, "--follow", LOTA_SERVER=server.url) as running:
        await running.line("2 lota.bids.placed.v1")
        await server.stop()
        await server.start()
        await store(log, [Record(3, place, bid())])
        await running.line("3 lota.bids.placed.v1")
        ran = await running.interrupt()

    positions = [line.split()[0] for line in ran.out.splitlines() if line.endswith(place)]
    assert (ran.code, positions) == (0, ["1", "2", "3"])


async def test_says_that_there_is_no_server(machine: Machine, program: Path) -> None:
    """Without a server it ends with code 1 and names the address, and no login in it."""
    url = "nats://ann:secret@127.0.0.1:1"

    async with machine.start("node", program, LOTA_SERVER=url) as running:
        ran = await running.end()

    assert (ran.code, ran.out) == (1, "")
    assert "127.0.0.1:1" in ran.err
    assert "secret" not in ran.err
