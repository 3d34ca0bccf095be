"""Networks whose nodes share one container engine, as all nodes of a machine do."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.spec import Deal, JobSpec, Sharding
from tests.contracts.executor_drivers import IMAGE, engine_problem
from tests.integration.small_network import SmallNetwork

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def _engine() -> None:
    if problem := engine_problem():
        if os.environ.get("LOTA_REQUIRE_DOCKER") == "1":
            pytest.fail(problem)
        pytest.skip(problem)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[SmallNetwork]:
    """A server and a requester."""
    async with SmallNetwork(tmp_path) as network:
        yield network


async def test_containers_agree(network: SmallNetwork) -> None:
    """Two nodes run the same image, and their results are equal bit by bit."""
    for name in ("c1", "c2"):
        await network.start(name, engines=("docker",))
    spec = JobSpec(
        engine="docker",
        image=IMAGE,
        command=("sh", "-c", "echo $LOTA_SHARD; echo x >/outputs/f"),
        sharding=Sharding(count=2),
        deal=Deal(replicas=2),
        timeout="1m",
    )
    job = await network.watch.closed(await network.watch.submit(spec))
    assert job.state == "completed"


async def test_another_network_with_the_same_names_is_left_alone(
    network: SmallNetwork, tmp_path: Path
) -> None:
    """A node that starts clears away its own containers, not those of a namesake elsewhere."""
    await network.start("c1", engines=("docker",))
    spec = JobSpec(engine="docker", image=IMAGE, command=("sleep", "2"), timeout="1m")
    name = await network.watch.submit(spec)
    await network.watch.until_items(name, "executions.started")
    (tmp_path / "other").mkdir()
    async with SmallNetwork(tmp_path / "other") as other:
        await other.start("c1", engines=("docker",))
        job = await network.watch.closed(name)
    assert job.state == "completed", job.reason
    assert len(job.shards[0].executions) == 1
