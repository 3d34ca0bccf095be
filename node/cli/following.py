"""A job as it happens: its events folded one batch after the other, from the submission on."""

from collections.abc import AsyncGenerator

from events.log import Log
from events.subjects import job_events
from projections.entry import Entry
from projections.network import Network
from projections.state import Job


async def follow_job(log: Log, job: str) -> AsyncGenerator[tuple[Job, list[Entry]], None]:
    """Yield the job and what was just folded into it, and go on until the caller has enough."""
    network = Network()
    async for batch in log.follow((job_events(job),)):
        entries = [entry for record in batch if (entry := network.fold(record)) is not None]
        state = network.jobs.get(job)
        if state is not None:
            yield state, entries
