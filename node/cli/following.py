"""A job as it happens: its events folded one batch after the other, from the submission on."""

from collections.abc import AsyncGenerator

from events.codec import kind_of
from events.entry import Entry
from events.errors import LotaError
from events.log import Log
from events.subjects import job_events
from node.cli.output import note
from projections.network import Network
from projections.state import TERMINAL, Job

ENDS = frozenset(("job.completed", "job.failed", "job.cancelled", "job.closed"))


async def follow_job(log: Log, job: str) -> AsyncGenerator[tuple[Job, list[Entry]], None]:
    """Yield the job and what was just folded into it, and go on until the caller has enough."""
    network = Network()
    told = ""
    async for batch in log.follow((job_events(job),)):
        entries = [entry for record in batch if (entry := network.fold(record)) is not None]
        state = network.jobs.get(job)
        if state is not None:
            if state.held and not told:
                told = state.held
                note(
                    f"lota: {told} of job {job} was written by a newer version of Lota; only "
                    "requesters of that version decide on"
                )
            yield state, entries
            _check_end(state)


def _check_end(job: Job) -> None:
    """Raise LotaError when the job has ended in words of a newer version: more will not come."""
    for name in job.newer:
        if job.state not in TERMINAL and kind_of(name) in ENDS:
            raise LotaError(
                f"job {job.id} has ended by {name}, which only a newer version of Lota knows",
                hint=f"use that version for lota job describe {job.id}",
            )
