"""Publishing by a whole network to real services: several of them, and nodes that take over."""

from collections.abc import AsyncIterator
from pathlib import Path
from socket import create_server

import pytest

from events.spec import Deal, JobSpec, PublisherSpec
from projections.state import Job, Slot
from publishers import open_publisher
from publishers.port import Location
from tests.contracts.places.s3 import S3Place
from tests.integration.small_network import SmallNetwork

LOCAL, NATS = PublisherSpec(driver="local"), PublisherSpec(driver="nats")
FORBIDDEN = PublisherSpec(driver="local", target="/forbidden")
"""Fails for good: no operator has allowed that folder."""


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[SmallNetwork]:
    """A server and a requester."""
    async with SmallNetwork(tmp_path) as network:
        yield network


@pytest.fixture
async def bucket(tmp_path: Path) -> AsyncIterator[S3Place]:
    """A prefix in a bucket of a real S3 server."""
    async with S3Place(tmp_path / "s3") as place:
        yield place


def away() -> dict[str, str]:
    """Return a credential for a service that nobody answers for."""
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return {"endpoint": f"http://127.0.0.1:{port}", "access_key_id": "a", "secret_access_key": "b"}


async def run(network: SmallNetwork, *publishers: PublisherSpec, **fields: object) -> Job:
    """Run a job of one shard to its close."""
    spec = JobSpec(
        engine="process",
        command=("sh", "-c", "echo out; echo file > outputs/a"),
        publishers=publishers,
        timeout="30s",
        **fields,  # type: ignore[arg-type]
    )
    return await network.watch.closed(await network.watch.submit(spec))


def slots(job: Job) -> dict[int, str]:
    return {number: slot.state for number, slot in sorted(job.shards[0].slots.items())}


def filled(slot: Slot) -> Location:
    (copy,) = slot.copies
    return Location(copy.uri, copy.cid, copy.size_bytes)


async def test_all_publishers_get_a_copy(network: SmallNetwork, bucket: S3Place) -> None:
    """With `all` each copy is an event with its own place, size and duration, and verifies."""
    await network.start("one", credentials={"lab": bucket.credential})
    s3 = PublisherSpec(driver="s3", target=bucket.target, credential="lab")
    job = await run(network, LOCAL, s3, NATS)
    assert (job.state, slots(job)) == ("completed", dict.fromkeys((0, 1, 2), "published"))
    copies = [slot.copies[0] for _, slot in sorted(job.shards[0].slots.items())]
    assert [copy.uri.partition(":")[0] for copy in copies] == ["file", "s3", "nats"]
    assert len({(copy.cid, copy.size_bytes) for copy in copies}) == 1
    assert all(copy.duration_ms >= 0 for copy in copies)
    outside = open_publisher("s3", bucket.target, bucket.credential, bucket.workplace)
    await outside.verify(filled(job.shards[0].slots[1]))
    await outside.close()


async def test_any_publisher_is_the_first_that_works(network: SmallNetwork) -> None:
    """With `any` a publisher that fails for good gives way to the next, and one copy is enough."""
    await network.start("one")
    job = await run(network, FORBIDDEN, NATS, LOCAL, publish="any")
    assert job.state == "completed"
    assert slots(job)[1] == "published"
    assert 2 not in job.shards[0].slots


async def test_two_of_three_publishers(network: SmallNetwork) -> None:
    """With a number that many copies are made, whichever of the publishers work."""
    await network.start("one")
    job = await run(network, LOCAL, FORBIDDEN, NATS, publish=2)
    assert job.state == "completed"
    assert {number for number, state in slots(job).items() if state == "published"} == {0, 2}


async def test_another_node_that_agreed_takes_over(network: SmallNetwork, bucket: S3Place) -> None:
    """Where the service refuses one node's credential another publishes, and nothing runs again."""
    assert bucket.refused is not None
    await network.start("refused", credentials={"lab": bucket.refused})
    await network.start("welcome", credentials={"lab": bucket.credential})
    s3 = PublisherSpec(driver="s3", target=bucket.target, credential="lab")
    job = await run(network, s3, deal=Deal(replicas=2))
    assert job.state == "completed"
    executions = job.shards[0].executions
    assert [execution.state for execution in executions] == ["accepted", "accepted"]
    (copy,) = job.shards[0].slots[0].copies
    assert executions[copy.attempt].node == "welcome"


async def test_a_failed_upload_is_tried_again_and_nothing_else(network: SmallNetwork) -> None:
    """A service that is away fails the publication in the end, after retries of that alone."""
    await network.start("one", credentials={"lab": away()})
    s3 = PublisherSpec(driver="s3", target="s3://bucket/prefix", credential="lab")
    job = await run(network, s3, deadline="8s")
    slot = job.shards[0].slots[0]
    assert (job.state, slot.tries > 1) == ("failed", True)
    assert len(job.shards[0].executions) == 1
    assert "127.0.0.1" in slot.reason
