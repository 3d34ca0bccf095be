"""A hundred nodes publish a hundred shards into one real bucket, and nothing gathers them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.spec import JobSpec, PublisherSpec, Sharding
from node.executors.port import Outcome, Task
from publishers.port import SmallResult
from publishers.unixfs import result_cid
from tests.contracts.places.s3 import S3Place
from tests.contracts.publishing import open_elsewhere
from tests.integration.small_network import FakeEngine, SmallNetwork
from tests.integration.watch import claim_of
from tests.lota_process import Machine

NODES = 100


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[SmallNetwork]:
    async with SmallNetwork(tmp_path) as network:
        yield network


@pytest.fixture
async def bucket(tmp_path: Path) -> AsyncIterator[S3Place]:
    async with S3Place(tmp_path / "s3") as place:
        yield place


async def count(task: Task) -> Outcome:
    """Print the shard's number."""
    return Outcome(exit_code=0, stdout=b"%d of %d\n" % (task.shard, task.shards))


async def test_a_hundred_nodes_publish_at_one_time(bucket: S3Place, tmp_path: Path) -> None:
    """Each of a hundred nodes puts the shard that it has run beside the others', all at once."""
    nodes = [open_elsewhere(bucket, tmp_path / f"c{number}") for number in range(NODES)]
    results = [SmallResult(b"%d\n" % number, b"", 0) for number in range(NODES)]
    cids = [result_cid(result.stdout, b"", 0).cid for result in results]
    locations = await asyncio.gather(
        *(
            node.publish(result, f"job/{index}", cid=cid)
            for index, (node, result, cid) in enumerate(zip(nodes, results, cids, strict=True))
        )
    )
    await asyncio.gather(*(node.close() for node in nodes))
    assert [location.cid for location in locations] == cids
    seen = [await bucket.seen_cid(f"job/{index}", cid) for index, cid in enumerate(cids)]
    assert seen == cids
    assert await bucket.leftovers() == []


async def test_a_job_of_a_hundred_shards_in_a_network_of_a_hundred_nodes(
    network: SmallNetwork, bucket: S3Place, tmp_path: Path
) -> None:
    """Many nodes publish the shards into one bucket, and a client lists them and reads one file."""
    for number in range(NODES):
        await network.start(
            f"c{number}",
            drivers={"process": FakeEngine("process", count)},
            credentials={"lab": bucket.credential},
            engines=("process",),
            width=1,
        )
    spec = JobSpec(
        engine="process",
        command=("count",),
        sharding=Sharding(count=NODES),
        publishers=(PublisherSpec(driver="s3", target=bucket.target, credential="lab"),),
        timeout="60s",
    )
    name = await network.watch.submit(spec)
    job = await network.watch.closed(name)
    assert job.state == "completed", job.reason
    copies = [copy for shard in job.shards for copy in shard.slots[0].copies]
    assert len({copy.uri for copy in copies}) == len(copies) == NODES
    awarded = {(index, copy.attempt) for index, copy in enumerate(copies)}
    assert len({job.shards[index].executions[attempt].node for index, attempt in awarded}) > 10
    for index, shard in enumerate(job.shards):
        cid = claim_of(shard).cid
        assert await bucket.seen_cid(f"{name}/{index}", cid) == cid
    assert await bucket.leftovers() == []
    await read_by_client(network, bucket, name, tmp_path / "client")


async def read_by_client(network: SmallNetwork, bucket: S3Place, name: str, folder: Path) -> None:
    """List the shards and read one file, as somebody who has the bucket's credential."""
    folder.mkdir()
    variables = {f"LOTA_CRED_LAB_{key.upper()}": value for key, value in bucket.credential.items()}
    for number in range(NODES):
        await network.stop(f"c{number}")
    lota = Machine(folder).run
    words = ("--server", network.server.url)
    listed = await lota("result", "ls", name, "-o", "json", *words, stdin=b"", **variables)
    assert listed.code == 0, listed.err
    assert len(json.loads(listed.out)) == NODES
    read = await lota("result", "cat", f"{name}/42/stdout", *words, stdin=b"", **variables)
    assert (read.code, read.out) == (0, f"42 of {NODES}\n"), read.err
