"""Real nodes of today on a log into which a newer version of Lota writes: nobody falls over it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.spec import JobSpec
from events.subjects import NET
from node.executors.port import Outcome, Task
from projections.audit import Audit
from projections.store import Store
from tests.events.newer import newer, store
from tests.integration.small_network import FakeEngine, SmallNetwork

SPEC = JobSpec(engine="process", command=("true",))


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[SmallNetwork]:
    """A network of today's nodes; the watcher's audit would only say what the tests say."""
    async with SmallNetwork(tmp_path) as network:
        network.watch.audited = True
        yield network


class Gate:
    """Runs that end when the test says so."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def run(self, task: Task) -> Outcome:
        await self.open.wait()
        return Outcome(0)


async def audited(network: SmallNetwork) -> set[str]:
    audit = Audit()
    async for records in network.watch.log.read():
        for record in records:
            audit.take(record)
    return {finding.kind for finding in audit.finish().findings}


async def test_jobs_go_on_beside_newer_facts_and_requests(
    network: SmallNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    """Newer facts, requests and events about nodes are skipped and told of; jobs complete."""
    watch, gate = network.watch, Gate()
    await network.start("c1", drivers={"process": FakeEngine("process", gate.run)})
    job = await watch.submit(SPEC)
    await watch.until_items(job, "shards.awarded")
    for message in (
        newer("lota.results.proposed.v2", job, "c", "c9"),
        newer("lota.executions.paused.v1", job, "c", "c1"),
        newer("lota.priority.asked.v1", job, "g", "cli"),
        newer("lota.node.joined.v2", NET, "c", "c9"),
        newer("lota.node.warmed.v1", NET, "c", "c9"),
    ):
        await store(watch.log, message)
    gate.open.set()

    assert (await watch.closed(job)).state == "completed"
    assert (await watch.closed(await watch.submit(SPEC))).state == "completed"
    assert watch.network.foreign == 0
    warned = [record.getMessage() for record in caplog.records if record.name == "node.requester"]
    told = "skipped: lota.results.proposed.v2 was written by a newer version of Lota; 1 so far"
    assert any(told in line for line in warned), warned
    assert await audited(network) == {"newer"}


async def test_a_job_with_a_newer_decision_is_left_alone(
    network: SmallNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    """The requester of today decides nothing more about it, also after a restart; others go on."""
    watch, gate = network.watch, Gate()
    await network.start("c1", drivers={"process": FakeEngine("process", gate.run)})
    job = await watch.submit(SPEC)
    await watch.until_items(job, "shards.awarded")
    at = await store(watch.log, newer("lota.shards.merged.v1", job, "r", "r9"))
    gate.open.set()
    await watch.until_items(job, "results.proposed")
    assert (await watch.closed(await watch.submit(SPEC))).state == "completed"

    await network.stop("requester")
    await network.start("requester", "requester")
    assert (await watch.closed(await watch.submit(SPEC))).state == "completed"
    places = [entry.address for entry in watch.entries if entry.position > at]
    assert not [place for place in places if (place.job, place.role) == (job, "r")]
    assert watch.network.jobs[job].held == f"lota.shards.merged.v1 at position {at}"
    told = f"job {job} is left to requesters of a newer version of Lota: lota.shards.merged.v1"
    assert sum(told in record.getMessage() for record in caplog.records) == 2
    assert await audited(network) == {"newer"}


async def test_a_held_network_goes_on(network: SmallNetwork) -> None:
    """A newer decision about nodes leaves losing nodes to others, and jobs are still run."""
    watch = network.watch
    await network.start("c1")
    await store(watch.log, newer("lota.node.excused.v1", NET, "r", "r9"))

    assert (await watch.closed(await watch.submit(SPEC))).state == "completed"
    assert watch.network.nodes.held.startswith("lota.node.excused.v1")


async def test_the_store_remembers_what_it_lacks(network: SmallNetwork, tmp_path: Path) -> None:
    """What a node skipped stands in its checkpoint, over restarts, for a version that knows it."""
    await store(network.watch.log, newer("lota.node.warmed.v1", NET, "c", "c9"))
    await network.start("c1")
    for _ in range(2):
        await network.stop("requester")
        await network.start("requester", "requester")
    assert (await network.watch.closed(await network.watch.submit(SPEC))).state == "completed"
    await network.stop("requester")

    database = next((tmp_path / "nodes" / "requester").glob("projections*"))
    kept = await Store.open(database)
    try:
        assert kept.checkpoint is not None
        assert kept.checkpoint.skipped == ("lota.node.warmed.v1",)
    finally:
        await kept.close()
