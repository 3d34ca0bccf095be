"""Real processes, killed outright in the middle of a job: nothing is lost, nothing done twice."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from events.spec import Deal, JobSpec, PublisherSpec, Sharding
from events.unixfs import job_root
from node.inputs.file_uri import to_path
from node.server import EmbeddedServer
from projections.state import Job
from publishers.unixfs import tree_cid
from tests.integration.node_processes import Nodes
from tests.integration.watch import Watch, claim_of

SHARDS = 200


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A nats-server that a test may kill and start again at the same address."""
    async with EmbeddedServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def watch(server: EmbeddedServer) -> AsyncIterator[Watch]:
    """A client that follows the log."""
    async with Watch(server.url) as watch:
        yield watch


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
    server: EmbeddedServer, watch: Watch, nodes: Nodes
) -> None:
    """Each is killed in the middle and started again, and each slot has one URI and one CID."""
    async with AsyncExitStack() as stack:
        requester = await stack.enter_async_context(nodes.start("r1", "requester"))
        await stack.enter_async_context(nodes.start("c1"))
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
        for running in (second, requester):
            assert (await running.terminate()).code == 0
    assert watch.network.foreign == 0
