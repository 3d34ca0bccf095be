"""In doubt a node reads the log: what it owes a job follows from the job's own events."""

from collections.abc import AsyncIterator

from events.codec import PRESENT, Codec
from events.log import Log
from events.subjects import job_events, own_facts, parse
from node.orders import Orders, all_owed
from projections.network import Network


async def consult(log: Log, job: str, node: str) -> Orders:
    """Fold one job from the log and return what this node owes it, all of it.

    A job that has ended, or that the log does not know, asks for nothing any more.
    """
    network = Network()
    async for batch in log.read((job_events(job),)):
        for record in batch:
            network.fold(record)
    state = network.jobs.get(job)
    if state is None:
        return Orders(job=job, fence=0, decision="", closed=True)
    return all_owed(state, node)


def own_bids(node: str, codec: Codec = PRESENT) -> tuple[str, ...]:
    """Return the filters for every bid a node ever placed: they name the jobs it took part in."""
    return tuple(own_facts(node, kind) for kind in codec.stored_as("bids.placed"))


async def jobs_bid_for(log: Log, node: str) -> AsyncIterator[str]:
    """Yield every job that the node ever bid for: what a lost database would have named."""
    seen: set[str] = set()
    async for batch in log.read(own_bids(node)):
        for record in batch:
            job = parse(record.subject).job
            if job not in seen:
                seen.add(job)
                yield job
