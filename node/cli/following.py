"""A job as it happens: its events folded one batch after the other, from the submission on."""

from collections.abc import AsyncGenerator

from events.client.subscribing import OnForeign
from events.codec import kind_of
from events.entry import Entry
from events.errors import EventError, LotaError, NewerEvent
from events.log import Log, Record
from events.subjects import job_events
from node.cli.output import note, note_foreign
from projections.base import begin
from projections.state import TERMINAL, Job

ENDS = frozenset(("job.completed", "job.failed", "job.cancelled", "job.closed"))


async def follow_job(log: Log, job: str) -> AsyncGenerator[tuple[Job, list[Entry]], None]:
    """Yield the job and what was just folded into it, and go on until the caller has enough."""
    network = begin(await log.base())
    told = ""
    async for batch in log.follow((job_events(job),), after=network.position):
        entries = [entry for record in batch if (entry := network.fold(record)) is not None]
        state = network.jobs.get(job)
        if state is not None:
            if state.held and not told:
                told = state.held
                _note_held(job, told)
            yield state, entries
            _check_end(state)


def note_passed_over(job: str) -> OnForeign:
    """Return what says which decision of a newer version holds a job, and what is no event."""
    held: list[str] = []

    def passed_over(record: Record, error: EventError) -> None:
        if not isinstance(error, NewerEvent):
            note_foreign(record, error)
        elif not held:
            held.append(f"{error.type} at position {record.position}")
            _note_held(job, held[0])

    return passed_over


def _note_held(job: str, held: str) -> None:
    note(
        f"lota: {held} of job {job} was written by a newer version of Lota; only "
        "requesters of that version decide on"
    )


def _check_end(job: Job) -> None:
    """Raise LotaError when the job has ended in words of a newer version: more will not come."""
    for name in job.newer:
        if job.state not in TERMINAL and kind_of(name) in ENDS:
            raise LotaError(
                f"job {job.id} has ended by {name}, which only a newer version of Lota knows",
                hint=f"use that version for lota job describe {job.id}",
            )
