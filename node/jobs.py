"""One job from the log: by its id or the start of it, folded by itself.

Who asks about one job needs no database: its own stream is short, and it is the truth.
"""

from collections.abc import Sequence
from typing import NamedTuple

from events.codec import PRESENT
from events.errors import Ambiguous, NotFound, WrongUsage
from events.log import Log, Readable
from events.subjects import JOB_ID, NODES, job_events, requests
from projections.base import begin
from projections.network import Network
from projections.nodes import Nodes
from projections.state import Job
from projections.timeline import Timeline

SUBMISSIONS = tuple(f"lota.ev.*.*.g.*.{kind}" for kind in PRESENT.stored_as("job.submitted"))
CANDIDATES_MAX = 10


class Loaded(NamedTuple):
    """A job, the nodes that could run it, and what happened when."""

    job: Job
    nodes: Nodes
    timeline: Timeline


async def find_job(log: Readable, text: str) -> str:
    """Return the id of the job that `text` names: its id, or the start of no other's.

    Raises NotFound, and Ambiguous with the candidates when there are several.
    """
    if not JOB_ID.fullmatch(text):
        raise WrongUsage(f"{text!r} is no job id", hint="lota job ls shows the ids")
    if await log.last(requests(text)):
        return text
    archived = begin(await log.base())
    found = dict.fromkeys(job for job in archived.jobs if job.startswith(text))
    async for records in log.read(SUBMISSIONS, after=archived.position):
        for record in records:
            job = record.subject.split(".")[3]
            if job.startswith(text):
                found[job] = None
    return the_one(text, list(found), archived.position)


def the_one(text: str, found: Sequence[str], archived: int) -> str:
    """Return the job that `text` begins, of those that it begins, the oldest first.

    The log begins behind the position `archived`. Raises NotFound, and WrongUsage when there are
    several.
    """
    if not found:
        hint = "lota job ls shows what there is"
        if archived:
            hint += f"; what was before position {archived + 1} is in an archive"
        raise NotFound(f"there is no job {text}", hint=hint)
    if len(found) > 1:
        shown = found[-CANDIDATES_MAX:]
        more = f" and {len(found) - len(shown)} older" if len(found) > len(shown) else ""
        raise Ambiguous(
            f"{text} is the start of {len(found)} jobs: {', '.join(reversed(shown))}{more}",
            hint="give more of the id",
        )
    return found[0]


async def load_job(log: Log, job: str, *, with_nodes: bool = False) -> Loaded:
    """Fold what is stored of a job now, and of the nodes if they matter. Raises NotFound."""
    network = begin(await log.base())
    timeline = Timeline()
    filters = (job_events(job), NODES) if with_nodes else (job_events(job),)
    async for records in log.read(filters, after=network.position):
        for record in records:
            entry = network.fold(record)
            if entry is not None and entry.address.job == job:
                timeline.note(entry)
    if job not in network.jobs:
        raise unreadable(network, job)
    return Loaded(network.jobs[job], network.nodes, timeline)


def unreadable(network: Network, job: str) -> NotFound:
    """Return the error for a job whose events are there and whose submission is not understood."""
    newer = ", ".join(network.newer)
    if newer:
        return NotFound(
            f"job {job} was submitted by a newer version of Lota ({newer})",
            hint="use that version to look at it",
        )
    return NotFound(
        f"job {job} has no submission that can be read", hint=f"lota events tail --job {job}"
    )


def shard_indexes(job: Job, shard: int | None) -> list[int]:
    """Return the shards that are meant: one, or all. Raises NotFound when the job has none such."""
    if shard is None and job.shards:
        return list(range(len(job.shards)))
    if not job.shards:
        raise NotFound(
            f"job {job.id} has no shards: it is {job.state}", hint=f"lota job describe {job.id}"
        )
    if shard is None or not 0 <= shard < len(job.shards):
        last = len(job.shards) - 1
        raise NotFound(f"job {job.id} has no shard {shard}", hint=f"it has shards 0 to {last}")
    return [shard]
