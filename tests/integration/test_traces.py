"""Which trace a job belongs to: all that requesters and nodes write about it says so."""

from pathlib import Path

from events.spec import Deal, JobSpec, PublisherSpec, Sharding
from tests.integration.small_network import SmallNetwork

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_every_event_of_a_job_carries_its_trace(tmp_path: Path) -> None:
    """Decisions and facts, from the plan to the last copy, stand under the submission's span."""
    spec = JobSpec(
        engine="process",
        command=("true",),
        timeout="30s",
        sharding=Sharding(count=2),
        deal=Deal(replicas=2),
        publishers=(PublisherSpec(driver="local"),),
    )
    async with SmallNetwork(tmp_path) as network:
        await network.start("n1")
        await network.start("n2")
        traced = await network.watch.submit(spec, traceparent=TRACE)
        plain = await network.watch.submit(spec)
        await network.watch.closed(traced)
        await network.watch.closed(plain)
        said = {traced: set[object](), plain: set[object]()}
        kinds = set()
        for entry in network.watch.entries:
            if entry.address.job in said:
                said[entry.address.job].add(entry.event.traceparent or "")
                kinds.add(entry.address.kind)
    assert said == {traced: {TRACE}, plain: {""}}
    assert kinds >= {"bids.placed", "results.revealed", "results.judged", "results.published"}
