"""How a job ended, from the one decision that ends it: no fold is needed to know that.

The fence lets exactly one of completed, failed and cancelled through (rule 10 of docs/protocol.md),
so the first of them on the log is the one.
"""

from contextlib import aclosing
from typing import Literal

import msgspec

from events.client.subscribing import OnForeign, entries, require_job_id
from events.codec import KINDS
from events.decisions import JobCancelled, JobClosed, JobCompleted, JobFailed
from events.entry import Entry
from events.errors import EventError, LogUnavailable, LotaError, NewerEvent, NotFound
from events.log import Log, Record
from events.selection import filters
from events.subjects import decisions, job_events

ENDS = frozenset(KINDS[kind] for kind in (JobCompleted, JobFailed, JobCancelled, JobClosed))


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a job came to.

    `root_cid` names the whole result, and `dag_size_bytes` is its size; both are empty unless the
    job completed. `exit_code` is 0 then, the command's own where that was why the job failed, else
    None. `code` says of a failure what kind it is: user, disagreement, infrastructure, publishing,
    inputs or deadline. `reason` is for people. `entry` is the decision itself.
    """

    job: str
    state: Literal["completed", "failed", "cancelled"]
    entry: Entry
    root_cid: str = ""
    dag_size_bytes: int = 0
    exit_code: int | None = None
    code: str = ""
    reason: str = ""


def outcome_of(entry: Entry) -> Outcome | None:
    """Return how the job of an event ended, None when the event does not end it."""
    job, event = entry.address.job, entry.event
    match event:
        case JobCompleted(data=data):
            return Outcome(
                job=job,
                state="completed",
                entry=entry,
                root_cid=data.root_cid,
                dag_size_bytes=data.dag_size_bytes,
                exit_code=0,
            )
        case JobFailed(data=data):
            return Outcome(
                job=job,
                state="failed",
                entry=entry,
                exit_code=data.exit_code,
                code=data.code,
                reason=data.reason,
            )
        case JobCancelled(data=data):
            return Outcome(job=job, state="cancelled", entry=entry, reason=data.reason)
        case _:
            return None


async def ended(log: Log, job: str, on_foreign: OnForeign) -> Outcome:
    """Wait until a job has ended and return how; `on_foreign` is told of decisions passed over.

    Raises NotFound when there is no such job or its end is archived, WrongUsage for what is no job
    id, LotaError when the job has ended in words of a newer version, and LogUnavailable when the
    log is closed before.
    """
    require_job_id(job)
    if not await log.last(job_events(job)):
        raise NotFound(f"there is no job {job}", hint="lota job ls shows what there is")
    if await log.base() is not None and not await _begins(log, job):
        return await _archived(log, job)

    def passed_over(record: Record, error: EventError) -> None:
        if isinstance(error, NewerEvent) and error.kind in ENDS:
            raise _unknown_end(job, error.type)
        on_foreign(record, error)

    async with aclosing(entries(log.follow((decisions(job),)), passed_over)) as batches:
        async for batch in batches:
            for entry in batch:
                if (outcome := outcome_of(entry)) is not None:
                    return outcome
                if isinstance(entry.event, JobClosed):
                    raise _unknown_end(job, "a decision")
    raise LogUnavailable(f"the log was closed while job {job} ran", hint="is the server up?")


async def _begins(log: Log, job: str) -> bool:
    """Whether the job's submission is still on the log."""
    return any([await log.last(one) for one in filters(job, ["job.submitted"])])


async def _archived(log: Log, job: str) -> Outcome:
    """Return how a job ended whose beginning is archived: it was closed before that was done."""
    async with aclosing(entries(log.read((decisions(job),)), lambda *_: None)) as batches:
        async for batch in batches:
            for entry in batch:
                if (outcome := outcome_of(entry)) is not None:
                    return outcome
    raise NotFound(
        f"the decision that ended job {job} is in an archive",
        hint=f"lota job describe {job} shows it, and lota replay --from the archive's file",
    )


def _unknown_end(job: str, by: str) -> LotaError:
    return LotaError(
        f"job {job} has ended by {by}, which only a newer version of Lota knows",
        hint=f"use that version for lota job describe {job}",
    )
