"""What the log holds, what history costs there, and how much of its beginning could be archived."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from events.log import Readable
from events.subjects import requests
from node.webhooks.registry import Listed
from projections.base import begin
from projections.network import Network
from projections.travel import Travel

RESULTS = "lota://"
KEPT_MIN = 1
"""An event stays in any case: the server cannot let a limit of no message be reached."""


class Held(msgspec.Struct, frozen=True):
    """The job that nothing can be archived from the first event of on, at `position`.

    It is the oldest that is not closed, or that such a one, `read_by`, reads the results of.
    """

    job: str
    state: str
    position: int
    submitted_at: str
    read_by: str | None = None


class Owed(msgspec.Struct, frozen=True):
    """The webhook that has come least far: what is behind `position` is still to be delivered."""

    webhook: str
    position: int


class Archivable(msgspec.Struct, frozen=True):
    """What could be archived: from `first` to `last`, inclusive; nothing if `last` is below.

    `jobs` have begun there. `stays` is how many events are behind it.
    """

    first: int
    last: int
    events: int
    jobs: int
    stays: int


class Survey(NamedTuple):
    """What one pass over the log found, and its fold; events and their bytes are by type."""

    events: dict[str, int]
    bytes: dict[str, int]
    open: dict[str, int]
    closed: dict[str, int]
    oldest: Held | None
    owed: Owed | None
    archivable: Archivable
    network: Network


def owed_by(webhooks: Iterable[Listed]) -> Owed | None:
    """Return what the webhooks that are not disabled have still to see of the log.

    One that cannot be read counts: a newer version of Lota may well deliver it.
    """
    stands = [
        Owed(one.id, min([one.progress.position, *one.progress.late.values()]))
        for one in webhooks
        if one.webhook is None or one.webhook.state != "disabled"
    ]
    return min(stands, key=lambda one: one.position, default=None)


async def survey(
    log: Readable,
    *,
    first: int,
    last: int,
    until: int,
    owed: Owed | None = None,
    progress: Callable[[int], None],
) -> Survey:
    """Fold the log from `first` to `last`, and say what of it up to `until` could be archived.

    That ends before what is `owed` and before the oldest job that is open, and where no job is open
    at all if such a place is not far: then every job is in one place. Memory grows with the number
    of jobs, by 8 bytes each.
    """
    travel = Travel(begin(await log.base()))
    network = travel.network
    events: Counter[str] = Counter()
    size_bytes: Counter[str] = Counter()
    begun: list[int] = []
    limit = min(until, last - KEPT_MIN, owed.position if owed is not None else until)
    quiet = first - 1
    async for records in log.read(after=network.position):
        for record in records:
            jobs = len(network.jobs)
            entry = travel.fold(record)
            kind = entry.address.kind if entry is not None else "foreign"
            events[kind] += 1
            size_bytes[kind] += len(record.subject) + len(record.body)
            if len(network.jobs) > jobs:
                begun.append(record.position)
            if not network.jobs and record.position <= limit:
                quiet = record.position
        progress(len(records))
    oldest = await _oldest(log, network)
    end = limit if oldest is None else min(limit, oldest.position - 1)
    if quiet > end:
        quiet = first - 1
    if 2 * (quiet - first + 1) >= end - first + 1:
        end = quiet
    return Survey(
        events=dict(events.most_common()),
        bytes={kind: size_bytes[kind] for kind, _ in events.most_common()},
        open=dict(Counter(job.state for job in network.jobs.values())),
        closed=dict(travel.tally.ended),
        oldest=oldest,
        owed=owed,
        network=network,
        archivable=Archivable(
            first=first,
            last=end,
            events=max(0, end - first + 1),
            jobs=bisect_right(begun, end),
            stays=last - max(end, first - 1),
        ),
    )


async def _oldest(log: Readable, network: Network) -> Held | None:
    """Return the open job, or the job that one reads, that begins first."""
    held = [Held(job.id, job.state, job.first, job.submitted_at) for job in network.jobs.values()]
    for job in network.jobs.values():
        for entry in job.spec.inputs:
            if not entry.source.startswith(RESULTS):
                continue
            source = entry.source.removeprefix(RESULTS).partition("/")[0]
            async for records in log.read((requests(source),), after=0):
                position = records[0].position
                held.append(Held(source, "closed", position, "", read_by=job.id))
                break
    return min(held, key=lambda one: one.position, default=None)
