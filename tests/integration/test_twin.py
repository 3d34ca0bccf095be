"""A twin: whoever is attached to it looks, and nothing is stored or decided there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from events import codec
from events.archive.file_log import FileLog
from events.client.gateway import prepare, submit
from events.clock import now_ms
from events.connection import connect
from events.errors import ReadOnlyLog
from events.ids import new_id
from events.jetstream import JetStreamLog, open_blobs, open_log
from events.requests import JobSubmitted
from events.spec import Input, JobSpec
from node.cli.main import main
from node.config import Address, NodeConfig
from node.host import Host
from node.server import EmbeddedServer
from tests.integration.read_models import digest_at_the_end

FILES = 400
"""So many that their listing is a blob."""


class Pair:
    """A log with two open jobs, and an empty server for its twin."""

    def __init__(self, folder: Path, log: JetStreamLog, client: Client, other: str) -> None:
        self.folder = folder
        self.log = log
        self.client = client
        self.url = client.connected_url.geturl() if client.connected_url else ""
        self.other = other

    async def lota(self, *words: str) -> int:
        """Run a command line in a thread, as it brings a loop of its own."""
        return await asyncio.to_thread(main, list(words))

    async def submit(self, job: str, spec: JobSpec) -> None:
        """Submit a job as a client does."""
        await submit(
            self.log,
            await open_blobs(self.client),
            await prepare(spec),
            job=job,
            author="cli",
            new_id=new_id,
            now_ms=now_ms,
        )

    async def make_twin(self, name: str = "log.jsonl", *options: str) -> Path:
        """Export the log and import it, by the command line."""
        path = self.folder / name
        export = ("events", "export", "-o", str(path), *options, "--server", self.url)
        assert await self.lota(*export) == 0
        assert await self.lota("events", "import", str(path), "--server", self.other) == 0
        return path


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """Return two servers; on the first two jobs are submitted that nobody works on."""
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for number in range(FILES):
        (inputs / f"{number:04}.txt").write_text(str(number))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(EmbeddedServer(tmp_path / "first"))
        second = await stack.enter_async_context(EmbeddedServer(tmp_path / "second"))
        client = await connect(first.url, name="first")
        stack.push_async_callback(client.close)
        log = await open_log(client)
        stack.push_async_callback(log.close)
        pair = Pair(tmp_path, log, client, second.url)
        await pair.submit("many", JobSpec(engine="noop", inputs=(Input(source=str(inputs)),)))
        await pair.submit("none", JobSpec(engine="noop"))
        yield pair


def host(url: str, folder: Path, role: str) -> Host:
    """Return a node of one role."""
    return Host(
        NodeConfig(
            name=role,
            address=Address(url),
            state=folder / role,
            roles=(role,),
            engines=("noop",),
            publish_root=folder / "published",
            cpu=1,
            memory_bytes=2**30,
            width=1,
        )
    )


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.zst"])
async def test_a_twin_has_the_same_read_models(pair: Pair, name: str) -> None:
    """What follows from a log follows from its twin, row for row, and blobs are there too."""
    path = await pair.make_twin(name)
    client = await connect(pair.other, name="twin")
    log = await open_log(client)
    digests = [
        await digest_at_the_end(pair.folder / f"{number}.db", each)
        for number, each in enumerate((pair.log, log))
    ]
    assert digests[0] == digests[1]
    file = await FileLog.open(path)
    batch = await anext(file.read(("lota.ev.*.many.>",)))
    submitted = codec.decode(batch[0].body)
    assert isinstance(submitted, JobSubmitted)
    listing = submitted.data.inputs[0]
    assert listing is not None
    key = listing.blob
    assert await (await open_blobs(client)).get(key) == await file.blobs.get(key)
    await log.close()
    await client.close()


async def test_the_export_of_a_twin_is_the_export(pair: Pair) -> None:
    """By the command line too, the two files differ in when they were made and in nothing else."""
    path = await pair.make_twin("log.jsonl", "--job", "many")
    again = pair.folder / "again.jsonl"
    assert await pair.lota("events", "export", "-o", str(again), "--server", pair.other) == 0
    lines, others = path.read_bytes().splitlines(), again.read_bytes().splitlines()
    assert lines[1:-1] == others[1:-1]
    headers = [msgspec.json.decode(each[0]) | {"created": ""} for each in (lines, others)]
    assert headers[0] == headers[1]


async def test_nothing_can_be_stored_in_a_twin(pair: Pair) -> None:
    """The log refuses an append, and so does the server itself."""
    await pair.make_twin()
    client = await connect(pair.other, name="twin")
    log = await open_log(client)
    with pytest.raises(ReadOnlyLog, match="twin"):
        await log.append("lota.ev.00.j.g.cli.a.b", b"{}", id="x")
    answer = await client.request("lota.ev.00.j.g.cli.a.b", b"{}", timeout=5)
    assert b"sealed" in answer.data
    assert await log.last() == 2
    await log.close()
    await client.close()


async def test_a_requester_of_a_twin_only_looks(pair: Pair) -> None:
    """A requester attached to a twin with open jobs folds it, and says nothing to anybody."""
    await pair.make_twin()
    client = await connect(pair.other, name="twin")
    heard: list[str] = []

    async def hear(message: object) -> None:
        heard.append(str(message))

    for subject in ("lota.ev.>", "lota.hb.>"):
        await client.subscribe(subject, cb=hear)
    await client.flush()
    async with host(pair.other, pair.folder, "requester"):
        pass
    await client.flush()
    assert heard == []
    await client.close()


async def test_a_compute_node_has_nothing_to_do_at_a_twin(pair: Pair) -> None:
    """A node that would work is refused, with a word on where to go."""
    await pair.make_twin()
    with pytest.raises(ReadOnlyLog, match="LOTA_SERVER"):
        async with host(pair.other, pair.folder, "compute"):
            pass


async def test_a_twin_takes_no_jobs(pair: Pair, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Submitting, running and cancelling are refused before anything is stored."""
    await pair.make_twin()
    spec = pair.folder / "spec.yaml"
    spec.write_text("engine: noop\n")
    for words in (
        ("job", "submit", "--server", pair.other, str(spec)),
        ("job", "cancel", "--server", pair.other, "many"),
        ("run", "--server", pair.other, "--", "true"),
    ):
        capsysbinary.readouterr()
        assert await pair.lota(*words) == 1
        assert b"this server holds a twin" in capsysbinary.readouterr().err


async def test_a_part_is_chosen_by_position_and_time(
    pair: Pair, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A range is inclusive in positions and in front of a time, and stdout takes it too."""

    async def positions(*words: str) -> list[int]:
        capsysbinary.readouterr()
        assert await pair.lota("events", "export", *words, "--server", pair.url) == 0
        lines = [msgspec.json.decode(line) for line in capsysbinary.readouterr().out.splitlines()]
        assert lines[-1]["end"]
        return [line["position"] for line in lines if "position" in line]

    assert await positions() == [1, 2]
    assert await positions("--since", "2", "-o", "-") == [2]
    assert await positions("--until", "1") == [1]
    assert await positions("--since", "1h", "--until", "2100-01-01") == [1, 2]
    assert await positions("--job", "none") == [2]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--since", "9"), b"position 9 is beyond the end"),
        (("--until", "9"), b"position 9 is beyond the end"),
        (("--since", "0"), b"there is no position 0"),
        (("--until", "2001-01-01"), b"nothing is in the log before"),
        (("--since", "2100-01-01"), b"nothing is in the log since"),
        (("--since", "2", "--until", "1"), b"nothing lies between"),
        (("--since", "soon"), b"no point in the log"),
    ],
)
async def test_a_range_that_is_not_there_is_named(
    pair: Pair, capsysbinary: pytest.CaptureFixture[bytes], words: tuple[str, ...], what: bytes
) -> None:
    """A range without events is wrong usage, says what the log holds, and leaves no file."""
    path = pair.folder / "none.jsonl"
    code = await pair.lota("events", "export", *words, "-o", str(path), "--server", pair.url)
    assert code == 2
    assert what in capsysbinary.readouterr().err
    assert not path.exists()
