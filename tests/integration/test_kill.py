"""Real processes, killed outright in the middle of a job: nothing is lost, nothing done twice."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from events.inputs.file_uri import to_path
from events.spec import Deal, JobSpec, PublisherSpec, Sharding
from events.unixfs import job_root
from node.server import EmbeddedServer
from projections.state import Job
from publishers.unixfs import tree_cid
from tests.contracts.executor_drivers import Lifeline
from tests.integration.node_processes import Nodes
from tests.integration.read_models import digest_at_the_end
from tests.integration.rules import IMPATIENT
from tests.integration.watch import Watch, claim_of

SHARDS = 200
"""A node is missed after three heartbeats rather than ten."""


@pytest.fixture
def nodes(server: EmbeddedServer, tmp_path: Path) -> Nodes:
    """What starts nodes as processes."""
    return Nodes(tmp_path, server.url)


def counting(shards: int, replicas: int = 2) -> JobSpec:
    """Return a job whose shards take some 20 ms each and print their own number."""
    return JobSpec(
        engine="process",
        command=("sh", "-c", "sleep 0.02; echo $LOTA_SHARD"),
        sharding=Sharding(count=shards),
        deal=Deal(replicas=replicas),
        publishers=(PublisherSpec(driver="local"),),
        timeout="30s",
    )


def check_results(job: Job) -> None:
    """Hold every shard's one publication against its CID, and the job's root against all."""
    assert job.state == "completed", job.reason
    assert (job.illegal, job.stories) == (0, [])
    for index, shard in enumerate(job.shards):
        claim = claim_of(shard)
        copies = {(copy.uri, copy.cid) for slot in shard.slots.values() for copy in slot.copies}
        assert len(copies) == 1, f"shard {index}: {copies}"
        ((uri, cid),) = copies
        assert cid == claim.cid
        folder = Path(to_path(uri))
        assert tree_cid(folder).cid == cid
        assert (folder / "stdout").read_text() == f"{index}\n"
    root = job_root((claim.cid, claim.dag_size_bytes) for claim in map(claim_of, job.shards))
    assert root.cid == job.root_cid


async def test_a_job_outlives_its_requester_a_node_and_the_server(
    server: EmbeddedServer, watch: Watch, nodes: Nodes, tmp_path: Path
) -> None:
    """Each is killed in the middle and started again, each slot has one URI and one CID, and the
    requester's read models are those that the log gives.
    """
    async with AsyncExitStack() as stack:
        requester = await stack.enter_async_context(nodes.start("r1", "requester"))
        first = await stack.enter_async_context(nodes.start("c1"))
        second = await stack.enter_async_context(nodes.start("c2"))
        job = await watch.submit(counting(SHARDS))
        await watch.until_items(job, "results.proposed", 40)
        await requester.kill()
        requester = await stack.enter_async_context(nodes.start("r1", "requester"))
        await watch.until_items(job, "results.proposed", 120)
        await second.kill()
        second = await stack.enter_async_context(nodes.start("c2"))
        await watch.until_items(job, "results.proposed", 240)
        await server.kill()
        await server.start()
        check_results(await watch.closed(job))
        for running in (first, second, requester):
            assert (await running.terminate()).code == 0
    assert watch.network.foreign == 0
    live = await digest_at_the_end(nodes.state("r1") / "projections.db", watch.log)
    assert live == await digest_at_the_end(tmp_path / "rebuilt.db", watch.log)


async def test_a_node_that_never_comes_back_is_given_up_on(watch: Watch, nodes: Nodes) -> None:
    """What a killed node had in hand is lost at once it is missed, and run by the others."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(nodes.start_by(IMPATIENT, "r1", "requester"))
        killed = await stack.enter_async_context(nodes.start("c1"))
        await stack.enter_async_context(nodes.start("c2"))
        job = await watch.submit(counting(60, replicas=1))
        await watch.until_items(job, "results.published", 10)
        await killed.kill()
        check_results(await watch.closed(job))
    assert watch.items["_", "node.lost"] == 1
    lost = watch.items[job, "executions.lost"]
    assert lost > 0
    assert watch.items[job, "shards.awarded"] == 60 + lost


async def test_a_long_command_outlives_its_node(watch: Watch, nodes: Nodes, tmp_path: Path) -> None:
    """A command that may run for long is adopted by the node's next life, not run again."""
    (tmp_path / "staged").mkdir()
    lifeline = Lifeline(tmp_path / "staged")
    path = tmp_path / "staged"
    text = f"exec 9>{path}/alive; echo started >&9; read x <{path}/go; echo $x >&9; echo done"
    spec = JobSpec(engine="process", command=("sh", "-c", text), timeout="5m")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(nodes.start("r1", "requester"))
        killed = await stack.enter_async_context(nodes.start("c1"))
        job = await watch.submit(spec)
        assert await lifeline.line() == b"started\n"
        await killed.kill()
        await stack.enter_async_context(nodes.start("c1"))
        await lifeline.go()
        ended = await watch.closed(job)
        assert await lifeline.rest() == b"go\n"
    lifeline.close()
    assert ended.state == "completed"
    assert len(ended.shards[0].executions) == 1


async def test_two_requesters_share_the_jobs(watch: Watch, nodes: Nodes) -> None:
    """Two requesters decide at once, and one finishes what the other leaves when it is killed."""
    async with AsyncExitStack() as stack:
        requesters = [
            await stack.enter_async_context(nodes.start_by(IMPATIENT, name, "requester"))
            for name in ("r1", "r2")
        ]
        await stack.enter_async_context(nodes.start("c1"))
        jobs = [await watch.submit(counting(10, replicas=1)) for _ in range(12)]
        await watch.until(
            lambda: (
                {author for job in jobs for author in watch.authors(job, "job.planned")}
                == {"r1", "r2"}
            )
        )
        await requesters[0].kill()
        for job in jobs:
            check_results(await watch.closed(job))


async def test_everything_stops_in_good_order(watch: Watch, nodes: Nodes) -> None:
    """SIGTERM ends every node with exit code 0, a last word on the log, and no process left."""
    async with AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(nodes.start(name, role))
            for name, role in (("r1", "requester"), ("c1", "compute"), ("c2", "compute"))
        ]
        job = await watch.submit(counting(50))
        await watch.until_items(job, "results.proposed", 20)
        for one in running:
            ended = await one.terminate()
            assert (ended.code, ended.out) == (0, "")
            assert "Traceback" not in ended.err
        await watch.until_items("_", "node.left", 3)
        assert watch.network.jobs[job].state == "running"
        assert not [line for line in nodes.machine.left() if "nats-server" not in line]
        for name, role in (("r1", "requester"), ("c1", "compute"), ("c2", "compute")):
            await stack.enter_async_context(nodes.start(name, role))
        check_results(await watch.closed(job))


async def test_one_name_is_one_process(nodes: Nodes, watch: Watch) -> None:
    """A second process under a node's name is refused, by its folder and by the network."""
    async with nodes.start("c1"):
        await watch.joined("c1")
        words = ["node", "serve", "--name", "c1", "--role", "compute", "--server", nodes.url]
        same = await nodes.machine.run(*words, "--state", nodes.state("c1"))
        assert same.code == 1
        assert "is in use by process" in same.err
        other = await nodes.machine.run(*words, "--state", nodes.state("other"))
        assert other.code == 1
        assert "a node named c1 is on this network already" in other.err
        assert "--name" in other.err
    assert watch.items["_", "node.joined"] == 1
