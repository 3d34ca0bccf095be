"""What `lota log archive` and `lota log stats` say when something is in the way."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from events.connection import connect
from events.jetstream import JetStreamKeyValues, Retention, open_log
from node.cli.main import main
from node.server import EmbeddedServer
from node.webhooks.registration import BUCKET
from tests.integration.test_drop import fill, park
from tests.projections.story import story

RECORDS = story(4)


class Machine:
    """A server with the log of a simulated network, and the commands that are run against it."""

    def __init__(self, url: str, client: Client, capture: pytest.CaptureFixture[bytes]) -> None:
        self.client = client
        self._url = url
        self._capture = capture

    async def fill(self) -> None:
        log = await open_log(self.client)
        for record in RECORDS:
            await log.append(record.subject, record.body, id=f"{record.position}")
        await log.close()

    async def run(self, *words: object) -> tuple[int, str, str]:
        """Run a command line; return its code and what it printed."""
        line = [*map(str, words), "--server", self._url]
        code = await asyncio.to_thread(main, line)
        out, err = self._capture.readouterr()
        return code, out.decode(), err.decode()

    async def first(self) -> int:
        return (await Retention(self.client).state()).first


@pytest.fixture
async def machine(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> AsyncIterator[Machine]:
    async with EmbeddedServer(tmp_path / "server") as server:
        client = await connect(server.url, name="test")
        machine = Machine(server.url, client, capsysbinary)
        await machine.fill()
        yield machine
        await client.close()


async def test_nothing_is_dropped_unless_asked(machine: Machine, tmp_path: Path) -> None:
    """Without --drop the file is written and the log stays; with it, the same file is used."""
    file = tmp_path / "a.jsonl"
    code, _, err = await machine.run("log", "archive", file, "--until", "0s")
    written = file.read_bytes()
    assert (code, await machine.first()) == (0, 1)
    assert "nothing was dropped" in err
    code, _, err = await machine.run("log", "archive", file, "--drop")
    assert (code, file.read_bytes()) == (0, written)
    cut = json.loads(written.splitlines()[0])["to"]
    assert await machine.first() == cut + 1
    code, _, err = await machine.run("log", "archive", file)
    assert (code, "already" in err) == (0, True)


async def test_what_is_young_stays(machine: Machine, tmp_path: Path) -> None:
    """What was stored within the last hour stays unless another point is given."""
    file = tmp_path / "a.jsonl"
    code, _, err = await machine.run("log", "archive", file, "--drop")
    assert (code, await machine.first(), file.exists()) == (2, 1, False)
    assert "older than 1h" in err


@pytest.mark.parametrize("until", ["40", "2999-01-01", "0s"])
async def test_points(machine: Machine, tmp_path: Path, until: str) -> None:
    """A position is the last that may go; one event stays in any case."""
    file = tmp_path / "a.jsonl.zst"
    code, _, err = await machine.run("log", "archive", file, "--until", until, "--drop")
    assert code == 0, err
    assert 1 < await machine.first() <= (41 if until == "40" else len(RECORDS))


@pytest.mark.parametrize(
    ("until", "why"), [("soon", "no point in the log"), ("0", "no position 0")]
)
async def test_points_that_are_none(machine: Machine, tmp_path: Path, until: str, why: str) -> None:
    """What cannot be meant is refused before anything is written."""
    code, _, err = await machine.run("log", "archive", tmp_path / "a.jsonl", "--until", until)
    assert (code, why in err) == (2, True), err
    assert not list(tmp_path.glob("*.jsonl"))


async def test_a_file_of_something_else_is_left_alone(machine: Machine, tmp_path: Path) -> None:
    """A file that is there already and holds anything else is not written over."""
    file, part = tmp_path / "a.jsonl", tmp_path / "part.jsonl"
    file.write_text("my notes\n")
    code, _, err = await machine.run("log", "archive", file, "--drop")
    assert (code, file.read_text()) == (1, "my notes\n")
    assert "not the beginning of an export" in err
    await machine.run("events", "export", "-o", part, "--since", "5", "--until", "20")
    code, _, err = await machine.run("log", "archive", part, "--drop")
    assert (code, "choose another file name" in err) == (2, True)
    assert await machine.first() == 1


async def test_a_changed_file_drops_nothing(machine: Machine, tmp_path: Path) -> None:
    """One byte that differs, also with a digest to match, and the server keeps what it has."""
    file = tmp_path / "a.jsonl"
    await machine.run("log", "archive", file, "--until", "0s")
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"requester"', b'"requestes"', 1))
    code, _, err = await machine.run("log", "archive", file, "--drop")
    assert (code, "digest" in err) == (1, True), err
    other = tmp_path / "other.jsonl"
    code = await write_elsewhere(tmp_path, other)
    code, _, err = await machine.run("log", "archive", other, "--drop")
    assert (code, "not the beginning of this log" in err) == (1, True), err
    assert await machine.first() == 1


async def write_elsewhere(folder: Path, file: Path) -> int:
    """Archive the log of another server, which has the same positions and other times."""
    async with EmbeddedServer(folder / "elsewhere") as server:
        client = await connect(server.url, name="test")
        log = await open_log(client)
        for record in RECORDS:
            await log.append(record.subject, record.body, id=f"{record.position}")
        await log.close()
        await client.close()
        words = ["log", "archive", str(file), "--until", "0s", "--server", server.url]
        return await asyncio.to_thread(main, words)


async def test_a_full_disk(machine: Machine, tmp_path: Path) -> None:
    """Where the file does not fit there is none, and nothing is dropped."""
    file = tmp_path / "a.jsonl"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, limits[1]))
    try:
        words = ("log", "archive", file, "--until", "0s", "--drop")
        code, _, err = await machine.run(*words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, list(tmp_path.glob("*.jsonl*"))) == (2, [])
    assert "cannot be written" in err
    assert await machine.first() == 1


async def test_a_log_that_was_left_parked(machine: Machine, tmp_path: Path) -> None:
    """Until it can be taken over the command waits for nothing and says when to come again."""
    await park(machine.client)
    code, _, err = await machine.run("log", "archive", tmp_path / "a.jsonl", "--drop")
    assert (code, "120 s" in err) == (1, True), err
    await Retention(machine.client, abandoned_ms=0).recover()
    log = await open_log(machine.client)
    assert await fill(log, 1) == [len(RECORDS) + 1]
    await log.close()


async def test_an_empty_log(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """A log without events has nothing to archive, and stats say so."""
    async with EmbeddedServer(tmp_path / "empty") as server:
        client = await connect(server.url, name="test")
        machine = Machine(server.url, client, capsysbinary)
        code, _, err = await machine.run("log", "archive", tmp_path / "a.jsonl", "--until", "0s")
        stats = await machine.run("log", "stats", "--until", "0s", "-o", "json")
        table = await machine.run("log", "stats")
        await client.close()
    assert code == 2, err
    found = json.loads(stats[1])
    assert (found["events"], found["archivable"]["until"], found["types"]) == (0, None, [])
    assert "nothing" in table[1]


async def test_stats_count_what_is_there(machine: Machine) -> None:
    """Events and bytes by type, jobs by state, subjects and what they take in memory."""
    found = json.loads((await machine.run("log", "stats", "--until", "0s", "-o", "json"))[1])
    subjects = {record.subject for record in RECORDS}
    assert (found["first"], found["last"], found["events"]) == (1, len(RECORDS), len(RECORDS))
    assert sum(row["events"] for row in found["types"]) == len(RECORDS)
    assert sum(row["bytes"] for row in found["types"]) == sum(
        len(record.subject) + len(record.body) for record in RECORDS
    )
    assert (found["subjects"], found["memory_bytes"]) == (len(subjects), len(subjects) * 250)
    assert found["disk_bytes"] > sum(len(record.body) for record in RECORDS)
    assert found["jobs"]["closed"]


async def test_a_lost_base_is_made_again(machine: Machine, tmp_path: Path) -> None:
    """Without its base the log cannot be folded, which is said; the archive file has what helps."""
    file = tmp_path / "a.jsonl"
    await machine.run("log", "archive", file, "--until", "0s", "--drop")
    before = await machine.run("replay", "-o", "json")
    await machine.client.jetstream().delete_stream("OBJ_lota-blobs")
    code, _, err = await machine.run("replay")
    assert code == 3
    assert "lota log archive FILE --drop" in err
    assert (await machine.run("log", "archive", file, "--drop"))[0] == 0
    assert await machine.run("replay", "-o", "json") == before


async def test_what_cannot_be_read_back(machine: Machine) -> None:
    """A pipe or a device is no archive."""
    code, _, err = await machine.run("log", "archive", "/dev/null", "--until", "0s", "--drop")
    assert (code, "is no file" in err, await machine.first()) == (2, True, 1)


async def test_what_a_webhook_has_still_to_deliver(machine: Machine, tmp_path: Path) -> None:
    """Nothing behind the position of a webhook goes, also not from a file written before."""
    file = tmp_path / "a.jsonl"
    await machine.run("log", "archive", file, "--until", "0s")
    hook = ("https://hooks.example.org/x", "--unsigned", "--since", "40")
    code, name, err = await machine.run("webhook", "add", *hook)
    assert code == 0, err
    code, _, err = await machine.run("log", "archive", file, "--drop")
    assert (code, name.strip() in err, await machine.first()) == (2, True, 1)
    found = json.loads((await machine.run("log", "stats", "--until", "0s", "-o", "json"))[1])
    assert found["owed"] == {"webhook": name.strip(), "position": 39}
    assert found["archivable"]["until"] <= 39
    assert (await machine.run("webhook", "rm", name.strip()))[0] == 0
    assert (await machine.run("log", "archive", file, "--drop"))[0] == 0


async def test_a_webhook_of_a_newer_version(machine: Machine, tmp_path: Path) -> None:
    """A webhook that this version cannot read has still to be delivered to as well."""
    hook = ("https://hooks.example.org/x", "--unsigned", "--since", "40")
    _, name, _ = await machine.run("webhook", "add", *hook)
    values = JetStreamKeyValues(machine.client, BUCKET)
    registered = await values.get(f"webhook.{name.strip()}")
    await values.put(registered.key, b'{"version":99}', expect=registered.revision)
    await values.close()
    found = json.loads((await machine.run("log", "stats", "--until", "0s", "-o", "json"))[1])
    assert found["owed"] == {"webhook": name.strip(), "position": 39}
    code, _, err = await machine.run("log", "archive", tmp_path / "a.jsonl", "--until", "50")
    assert code == 0, err
    assert found["archivable"]["until"] <= 39


async def test_what_only_a_newer_version_knows(machine: Machine, tmp_path: Path) -> None:
    """A version that cannot fold all of the log does not archive it: its base would be wrong."""
    known = next(record for record in RECORDS if record.subject.endswith("bids.placed"))
    log = await open_log(machine.client)
    newer = known.body.replace(b"lota.bids.placed.v1", b"lota.bids.placed.v9")
    await log.append(known.subject, newer, id="newer")
    await log.close()
    code, _, err = await machine.run("log", "archive", tmp_path / "a.jsonl", "--until", "0s")
    assert (code, "lota.bids.placed.v9" in err) == (1, True), err
    assert not list(tmp_path.glob("a.*"))
