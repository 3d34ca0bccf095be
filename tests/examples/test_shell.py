"""The subscriber in shell: what it prints is what is stored."""

import json
from pathlib import Path

from events.jetstream import JetStreamLog
from events.log import Record
from events.subjects import subject
from node.server import EmbeddedServer
from tests.examples.stored import golden_records, simulated_records, store
from tests.lota_process import Machine, Ran

PROGRAM = Path(__file__).parents[2] / "examples" / "shell" / "subscribe.sh"


async def run(machine: Machine, server: EmbeddedServer, *words: str) -> Ran:
    async with machine.start("bash", PROGRAM, *words, LOTA_SERVER=server.url) as running:
        return await running.end()


def line(record: Record) -> str:
    """Return what is printed of a record: the document as it was stored, byte for byte."""
    place = f'"position":{record.position},"subject":"{record.subject}"'
    return f'{{{place},"event":{record.body.decode()}}}\n'


async def test_prints_what_is_stored(
    server: EmbeddedServer, log: JetStreamLog, machine: Machine
) -> None:
    """Every event comes once, in order, with its position and the bytes of its document."""
    await store(log, [*simulated_records(), *golden_records()] * 3)
    records = [record async for batch in log.read() for record in batch]
    assert len(records) > 500  # more than one batch

    ran = await run(machine, server)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "".join(map(line, records))


async def test_a_filter_selects(
    server: EmbeddedServer, log: JetStreamLog, machine: Machine
) -> None:
    """A subject with wildcards is what the server selects by, and nothing may be left."""
    await store(log, golden_records())

    bids = await run(machine, server, "lota.ev.*.golden.*.*.bids.placed")
    nothing = await run(machine, server, "lota.ev.*.other.>")

    assert [json.loads(told)["event"]["type"] for told in bids.out.splitlines()] == [
        "lota.bids.placed.v1"
    ]
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "")


async def test_follows(server: EmbeddedServer, log: JetStreamLog, machine: Machine) -> None:
    """It prints what is there, and what comes, until it is interrupted."""
    first, second, *_ = golden_records()
    await store(log, [first])
    async with machine.start("bash", PROGRAM, "--follow", LOTA_SERVER=server.url) as running:
        await running.line('"position":1,')
        await store(log, [second])
        await running.line('"position":2,')
        ran = await running.interrupt()

    assert ran.out == line(first) + line(second)


async def test_skips_what_is_no_json(
    server: EmbeddedServer, log: JetStreamLog, machine: Machine
) -> None:
    """Noise under our subjects is told of and left out, so that each line is JSON."""
    place = subject("job", "c", 'n"1\\', "bids.placed")
    pretty = b'{\n "a": 1\r\n}'
    await store(log, [Record(1, place, b"\xff{\r\nMSG x"), Record(2, place, pretty)])

    ran = await run(machine, server)

    assert "skipped 1 " in ran.err
    assert json.loads(ran.out) == {"position": 2, "subject": place, "event": {"a": 1}}


async def test_says_what_is_missing(server: EmbeddedServer, machine: Machine) -> None:
    """Without a log or without a server it ends with code 1 and says which, and keeps a secret."""
    no_log = await run(machine, server)
    async with machine.start(
        "bash", PROGRAM, LOTA_SERVER="nats://ann:secret@127.0.0.1:1"
    ) as running:
        no_server = await running.end()

    assert (no_log.code, no_log.err) == (1, "subscribe.sh: the log: stream not found\n")
    assert (no_server.code, no_server.err) == (
        1,
        "subscribe.sh: no server answers at 127.0.0.1:1\n",
    )
