"""`lota log archive` on real networks: what was moved is whole, and what stays goes on."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec
import pytest

from events.clock import now_ms
from events.connection import connect
from events.jetstream import Retention, import_file, open_log
from events.jetstream.turn import Turn
from events.spec import Deal, JobSpec, PublisherSpec, Sharding
from node.server import EmbeddedServer
from tests.integration.conftest import Lota
from tests.integration.small_network import SmallNetwork
from tests.lota_process import LOTA, Machine
from tests.node.cli.job_on_log import join
from tests.projections.story import story
from tests.tcp_proxy import TcpProxy

SPEC = JobSpec(
    engine="noop",
    sharding=Sharding(count=3),
    deal=Deal(replicas=2),
    publishers=(PublisherSpec(driver="local"),),
)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[SmallNetwork]:
    """A network on which three jobs have run."""
    async with SmallNetwork(tmp_path) as network:
        await network.start("c1")
        await network.start("c2")
        await run_jobs(network, 3)
        yield network


async def run_jobs(network: SmallNetwork, count: int) -> list[str]:
    """Run jobs one after the other, to their closing."""
    jobs = []
    for _ in range(count):
        jobs.append(await network.watch.submit(SPEC))
        assert (await network.watch.closed(jobs[-1])).state == "completed"
    return jobs


async def moved(lota: Lota, network: SmallNetwork, file: Path) -> int:
    """Archive all that can be archived, and return the last position of that."""
    words = ("log", "archive", file, "--until", "0s", "--drop", "--server", network.server.url)
    ran = await lota(*words)
    assert ran.code == 0, ran.err
    stats = await lota(
        "log", "stats", "--until", "0s", "-o", "json", "--server", network.server.url
    )
    position: int = stats.document["archived_until"]
    return position


def event_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith('{"position":')]


async def test_what_stays_is_as_it_was(network: SmallNetwork, lota: Lota, tmp_path: Path) -> None:
    """Positions, nodes with their standing, and the audit of the rest are what they were."""
    to = ("-o", "json", "--server", network.server.url)
    before = (await lota("replay", *to)).document
    nodes = (await lota("node", "ls", *to)).document
    cut = await moved(lota, network, tmp_path / "a.jsonl.zst")
    after = (await lota("replay", *to)).document
    audit = await lota("audit", *to)

    assert 0 < cut < after["position"] == before["position"]
    assert after["nodes"] == before["nodes"]
    assert (await lota("node", "ls", *to)).document == nodes
    assert sum(node["agreed"] for node in after["nodes"]) == 3 * 3 * 2
    assert (audit.code, audit.document["first"], audit.document["unprovable"]) == (0, cut + 1, {})
    assert {"offers", "awards", "plans"} & audit.document["proved"].keys()


async def test_the_archive_is_a_log(network: SmallNetwork, lota: Lota, tmp_path: Path) -> None:
    """What was moved is replayed, audited and looked into without a server."""
    file = tmp_path / "a.jsonl"
    job = min(network.watch.network.jobs)
    whole = await lota("audit", "-o", "json", "--server", network.server.url)
    at = ("replay", "--job", job, "-o", "json")
    was = (await lota(*at, "--server", network.server.url)).document
    cut = await moved(lota, network, file)
    audit = await lota("audit", "-o", "json", "--from", file)
    gone = await lota("job", "describe", job, "--server", network.server.url)

    assert (audit.code, audit.document["last"]) == (0, cut)
    assert audit.document["jobs"] == whole.document["jobs"] - 1
    then = (await lota(*at, "--from", file)).document
    assert (then["shards"], then["lanes"]) == (was["shards"], was["lanes"])
    assert gone.code == 3
    assert f"before position {cut + 1} is in an archive" in gone.err


async def test_archives_and_the_log_are_the_whole(
    network: SmallNetwork, lota: Lota, tmp_path: Path
) -> None:
    """A second archive begins where the first ends; line by line nothing is missing or twice."""
    url = network.server.url
    a, b, rest = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "rest.jsonl"))
    await moved(lota, network, a)
    await run_jobs(network, 2)
    await lota("events", "export", "-o", rest, "--server", url)
    there = event_lines(a.read_text()) + event_lines(rest.read_text())
    nodes = (await lota("replay", "-o", "json", "--server", url)).document["nodes"]
    await moved(lota, network, b)
    await lota("events", "export", "-o", rest, "--server", url)

    lines = [line for file in (a, b, rest) for line in event_lines(file.read_text())]
    assert lines == there
    assert [json.loads(line)["position"] for line in lines] == list(range(1, len(lines) + 1))
    for file in (a, b, rest):
        assert (await lota("audit", "--from", file)).code == 0
    offline = (await lota("replay", "-o", "json", "--from", rest)).document
    assert offline["nodes"] == nodes


async def test_a_job_in_both(network: SmallNetwork, lota: Lota, tmp_path: Path) -> None:
    """A job that the cut runs through is shown as it is, and its last events where they are."""
    network.watch.audited = True  # by the command: of this job not all can be decided again
    (job,) = await run_jobs(network, 1)
    await moved(lota, network, tmp_path / "before.jsonl")
    url = ("--server", network.server.url)
    shown = (await lota("job", "describe", job, "-o", "json", *url)).document
    rows = (await lota("job", "history", job, "-o", "json", *url)).document
    listed = (await lota("job", "ls", "-o", "json", *url)).document
    cut = rows[len(rows) // 2]["position"]
    await run_jobs(network, 1)
    file = tmp_path / "a.jsonl"
    ran = await lota("log", "archive", file, "--until", cut, "--drop", *url)
    assert (ran.code, "of 1 job(s) the last events stay" in ran.err) == (0, True), ran.err

    again = (await lota("job", "describe", job[:20], "-o", "json", *url)).document
    assert {**again, "timeline": []} == {**shown, "timeline": []}
    rest = (await lota("job", "history", job, "-o", "json", *url)).document
    assert rest == [row for row in rows if row["position"] > cut]
    assert (await lota("job", "history", job, "--timeline", *url)).code == 0
    assert (await lota("job", "wait", job, *url)).out == "completed\n"
    assert (await lota("replay", "--job", job, "--step", *url)).code == 0
    now = (await lota("job", "ls", "-o", "json", *url)).document
    assert now[1:] == [row for row in listed if row["id"] == job]
    for words in (("audit",), ("audit", "--job", job), ("audit", "--from", file)):
        at = () if "--from" in words else url
        assert (await lota(*words, *at)).code == 0
    part = tmp_path / "job.jsonl"
    await lota("events", "export", "--job", job, "-o", part, *url)
    assert (await lota("audit", "--from", part)).code == 0


async def test_a_twin_of_an_archived_log(network: SmallNetwork, lota: Lota, tmp_path: Path) -> None:
    """The base goes along with an export: a twin shows the same, and its export is the export."""
    file, again = tmp_path / "rest.jsonl", tmp_path / "again.jsonl"
    await moved(lota, network, tmp_path / "a.jsonl")
    await lota("events", "export", "-o", file, "--server", network.server.url)
    async with EmbeddedServer(tmp_path / "second") as second:
        client = await connect(second.url, name="test")
        await import_file(client, file)
        await client.close()
        for words in (("replay",), ("node", "ls"), ("job", "ls"), ("audit",)):
            first = await lota(*words, "-o", "json", "--server", network.server.url)
            twin = await lota(*words, "-o", "json", "--server", second.url)
            assert (twin.code, twin.document) == (0, first.document)
        await lota("events", "export", "-o", again, "--server", second.url)
        stats = await lota("log", "stats", "--until", "0s", "-o", "json", "--server", second.url)
        refused = await lota("log", "archive", tmp_path / "t.jsonl", "--server", second.url)
    assert again.read_text().splitlines()[1:-1] == file.read_text().splitlines()[1:-1]
    assert stats.document["archived_until"] == stats.document["first"] - 1
    assert refused.code == 1
    assert "twin" in refused.err


async def test_nodes_start_anew_behind_an_archive(
    network: SmallNetwork, lota: Lota, tmp_path: Path
) -> None:
    """A requester and a compute node that have lost all they knew begin at the base, and work."""
    await moved(lota, network, tmp_path / "a.jsonl")
    for name in ("requester", "c1", "c2"):
        await network.stop(name)
    for name in ("requester", "c1"):
        await asyncio.to_thread(shutil.rmtree, tmp_path / "nodes" / name)
    await network.start("requester", "requester")
    await network.start("c1")
    await network.start("c2")
    await run_jobs(network, 2)


async def test_a_restart_behind_an_archive(
    network: SmallNetwork, lota: Lota, tmp_path: Path
) -> None:
    """A requester whose read models end within what was archived builds them anew, and works."""
    await network.stop("requester")
    network.watch.audited = True  # whom the test lets join says so by a source of its own
    for _ in range(2):
        await join(network.watch.log, "passer-by", "observer")
    await moved(lota, network, tmp_path / "a.jsonl")
    await network.start("requester", "requester")
    await run_jobs(network, 1)


async def test_the_network_works_on_meanwhile(
    network: SmallNetwork, lota: Lota, tmp_path: Path
) -> None:
    """Jobs that run while the log is archived, again and again, end well."""
    jobs: list[str] = []
    for number in range(4):
        jobs += [await network.watch.submit(SPEC) for _ in range(4)]
        await moved(lota, network, tmp_path / f"{number}.jsonl")
        for job in jobs:
            assert (await network.watch.closed(job)).state == "completed"
    assert (await lota("audit", "--server", network.server.url)).code == 0


async def test_a_lost_node_is_lost_again(network: SmallNetwork, lota: Lota, tmp_path: Path) -> None:
    """Decisions about nodes go on although the one that their fence names was archived."""
    watch = network.watch
    watch.audited = True
    await join(watch.log, "ghost", "compute")
    await watch.until_items("_", "node.lost")
    await run_jobs(network, 1)
    await moved(lota, network, tmp_path / "a.jsonl")
    await join(watch.log, "ghost", "compute")
    await watch.until(lambda: watch.authors("_", "node.lost") == ["requester", "requester"])


async def test_an_open_job_stays_whole(network: SmallNetwork, lota: Lota, tmp_path: Path) -> None:
    """Nothing from the first event of the oldest open job on is moved, and stats name that job."""
    to = ("--server", network.server.url)
    waiting = JobSpec(engine="noop", labels={"node.gpu": "yes"})
    job = await network.watch.submit(waiting)
    await network.watch.until_items(job, "job.planned", 0)
    await run_jobs(network, 1)
    await moved(lota, network, tmp_path / "a.jsonl")
    stats = (await lota("log", "stats", "--until", "0s", "-o", "json", *to)).document
    more = await lota("log", "archive", tmp_path / "b.jsonl", "--until", "0s", "--drop", *to)

    assert stats["oldest_open"]["job"] == job
    assert stats["first"] <= stats["oldest_open"]["position"]
    assert stats["archivable"]["until"] is None
    assert more.code == 2
    assert job in more.err
    assert not (tmp_path / "b.jsonl").exists()
    assert (await lota("job", "describe", job, *to)).code == 0
    await network.watch.cancel(job)
    await network.watch.closed(job)


async def test_what_an_open_job_reads_stays(
    network: SmallNetwork, lota: Lota, tmp_path: Path
) -> None:
    """A closed job whose results an open one has as inputs is not archived."""
    (source,) = await run_jobs(network, 1)
    await run_jobs(network, 1)
    spec = tmp_path / "reader.json"
    inputs = [{"source": f"lota://{source}"}]
    spec.write_text(json.dumps({"engine": "noop", "labels": {"node.gpu": "yes"}, "inputs": inputs}))
    ran = await lota("job", "submit", spec, "--server", network.server.url)
    assert ran.code == 0, ran.err
    job = ran.out.strip()
    await moved(lota, network, tmp_path / "a.jsonl")
    to = ("--server", network.server.url)
    stats = (await lota("log", "stats", "--until", "0s", "-o", "json", *to)).document
    assert (stats["oldest_open"]["job"], stats["oldest_open"]["read_by"]) == (source, job)
    assert (await lota("job", "describe", source, *to)).code == 0
    await network.watch.cancel(job)
    await network.watch.closed(job)


KILLS = (
    (b"CONSUMER.CREATE", 0),
    (b"CONSUMER.CREATE", 1),
    *((b"lota.ev.archiving", n) for n in range(7)),
)
"""Messages to or from the server at which the command is killed: while it looks, while it writes,
and at each step of dropping."""


@pytest.mark.parametrize(("among", "step"), KILLS)
async def test_killed_at_any_step(among: bytes, step: int, lota: Lota, tmp_path: Path) -> None:
    """Whenever it dies, nothing is lost, and the same command again does the rest."""
    records = story(4)
    file = tmp_path / "a.jsonl"
    words = ("log", "archive", file, "--until", "0s", "--drop", "--server")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(EmbeddedServer(tmp_path / "server"))
        client = await connect(server.url, name="test")
        stack.push_async_callback(client.close)
        log = await open_log(client)
        for record in records:
            await log.append(record.subject, record.body, id=f"{record.position}")
        proxy = await stack.enter_async_context(TcpProxy(server.port))
        machine = Machine(tmp_path)
        running = await stack.enter_async_context(
            machine.start(LOTA, *words[:2], str(file), *words[3:], proxy.url)
        )

        def kill() -> None:
            with suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL)

        proxy.break_at(step, kill, among=among)
        ended = await running.end()
        assert (proxy.broke, ended.code) == (True, -signal.SIGKILL), ended
        await Retention(client, abandoned_ms=0).recover()
        turn = Turn(client, 0)  # it would lapse by itself
        await turn.take(now_ms())
        await turn.release()
        again = await lota(*words, server.url)
        base = await log.base()
        assert again.code == 0, again.err
        assert base is not None
        there = [
            msgspec.structs.replace(record, stored_ms=0)
            async for batch in log.read(after=base.position)
            for record in batch
        ]
        assert there == list(records[base.position :])
        moved = event_lines(file.read_text())
        assert [json.loads(line)["position"] for line in moved] == list(range(1, base.position + 1))
        answers = [log.append("lota.ev.00.x.c.n.a.b", b"{}", id="more")]
        assert await asyncio.gather(*answers) == [len(records) + 1]
        await log.close()
