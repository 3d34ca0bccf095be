"""A node that is asked to drain finishes what it has and takes nothing new."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.errors import NotFound, WrongUsage
from events.spec import Deal, JobSpec
from events.subjects import NET
from node.bus import Bus
from node.draining import drain
from node.executors.port import Outcome, Task
from node.orders import Orders
from tests.integration.conftest import Lota
from tests.integration.small_network import FakeEngine, SmallNetwork


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[SmallNetwork]:
    """A server and a requester."""
    async with SmallNetwork(tmp_path) as network:
        yield network


def state(network: SmallNetwork, name: str) -> str:
    return network.watch.network.nodes.members[name].state


async def test_a_draining_node_finishes_and_takes_nothing_new(
    network: SmallNetwork, lota: Lota
) -> None:
    """What it runs is completed, what comes goes to others, and its next start takes work again."""
    go = asyncio.Event()

    async def wait(task: Task) -> Outcome:
        await go.wait()
        return Outcome(0, b"")

    watch = network.watch
    await network.start("c1", drivers={"process": FakeEngine("process", wait)})
    running = await watch.submit(JobSpec(engine="process", command=("true",), timeout="1m"))
    await watch.until_items(running, "shards.awarded")
    ran = await lota("node", "drain", "c1", "--server", network.url)
    assert (ran.code, ran.out) == (0, "draining\n")
    await watch.until(lambda: state(network, "c1") == "draining")
    await network.start("c2")
    others = [await watch.closed(await watch.submit(JobSpec(engine="noop"))) for _ in range(5)]
    assert {job.shards[0].executions[0].node for job in others} == {"c2"}
    go.set()
    assert (await watch.closed(running)).state == "completed"
    await network.stop("c1")
    await network.start("c1")
    await watch.joined("c1")
    deal = Deal(replicas=2)
    job = await watch.closed(await watch.submit(JobSpec(engine="noop", deal=deal)))
    assert {execution.node for execution in job.shards[0].executions} == {"c1", "c2"}


async def test_a_repeated_command_is_told_once(network: SmallNetwork) -> None:
    """Asking again changes nothing, and a command for another life of the node is none for it."""
    await network.start("c1")
    watch = network.watch
    bus = Bus(watch.client)
    bus.command("c1", Orders(job=NET, fence=0, decision="", drain="another-life"))
    await watch.closed(await watch.submit(JobSpec(engine="noop")))
    assert state(network, "c1") == "live"
    incarnation = watch.network.nodes.members["c1"].incarnation
    for _ in range(3):
        bus.command("c1", Orders(job=NET, fence=0, decision="", drain=incarnation))
    position = await drain(watch.log, bus, "c1")
    await watch.until(lambda: state(network, "c1") == "draining")
    assert await drain(watch.log, bus, "c1") >= position
    assert watch.items[NET, "node.drained"] == 1


async def test_a_node_that_is_not_there_cannot_drain(network: SmallNetwork) -> None:
    """A node that never was and one that has left are told apart."""
    await network.start("c1")
    bus = Bus(network.watch.client)
    with pytest.raises(NotFound, match="there is no node c9"):
        await drain(network.watch.log, bus, "c9")
    await network.stop("c1")
    with pytest.raises(WrongUsage, match="left"):
        await drain(network.watch.log, bus, "c1")
