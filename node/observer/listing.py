"""Lists of jobs as of any position, newest first, page by page."""

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any, NamedTuple

import msgspec

from node.observer.past import Past
from projections.closed import NAME, ClosedBody, key_of
from projections.state import Job
from projections.store import Store
from projections.views import job_row

ROWS_AT_ONCE = 200
SCANNED_MAX = 5_000
"""Jobs that are looked at for one page: behind these it ends, however little it has."""

Row = dict[str, Any]


class JobPage(NamedTuple):
    """Rows of jobs as `projections.views.job_row`, with `position`, the job's first, and `closed`.

    `next` goes on where they end: it is the `before` of the next page, None when there is none. A
    page may have fewer rows than asked for, or none, and go on.
    """

    rows: list[Row]
    next: int | None


class Wanted(NamedTuple):
    """Which jobs to list. Of `states` one matches, of `labels` (KEY=VALUE or KEY) all, and `text`
    is part of the id, the name or a label; empty ones match every job.
    """

    states: frozenset[str] = frozenset()
    labels: tuple[str, ...] = ()
    text: str = ""

    def match(self, row: Row) -> bool:
        """Return whether a job, by its row, is one of them."""
        labels: dict[str, str] = row["labels"]
        if self.states and row["state"] not in self.states:
            return False
        for key, equals, value in (label.partition("=") for label in self.labels):
            if key not in labels or (equals and labels[key] != value):
                return False
        if not self.text:
            return True
        text = self.text.casefold()
        shown = (row["id"], row["name"], *(f"{key}={value}" for key, value in labels.items()))
        return any(text in part.casefold() for part in shown)


async def jobs(
    store: Store, past: Past, wanted: Wanted, *, before: int | None, limit: int
) -> JobPage:
    """Return the newest jobs that were there at a position, of those that began before another.

    Raises DatabaseUnusable.
    """
    begun = past.position + 1 if before is None else min(before, past.position + 1)
    opened = sorted(
        (job for job in past.network.jobs.values() if job.first < begun),
        key=lambda job: job.first,
    )
    rows: list[Row] = []
    scanned = 0
    key, ended = key_of(begun), False
    while not ended:
        found = await store.newest(NAME, key, ROWS_AT_ONCE)
        ended = len(found) < ROWS_AT_ONCE
        key = found[-1][0] if found else key
        both = _opened(opened, 0 if ended else int(key)), _closed(found, past.position)
        for row in merge(*both, key=_position, reverse=True):
            scanned += 1
            if wanted.match(row):
                rows.append(row)
            if len(rows) == limit or scanned == SCANNED_MAX:
                return JobPage(rows, row["position"])
    return JobPage(rows, None)


def _position(row: Row) -> int:
    position: int = row["position"]
    return position


def _opened(opened: list[Job], bound: int) -> Iterator[Row]:
    """Take the newest of the jobs that were open, as far back as a position, and yield their rows.

    `opened` ends with the newest.
    """
    while opened and opened[-1].first >= bound:
        job = opened.pop()
        yield {**job_row(job), "position": job.first, "closed": False}


def _closed(found: Sequence[tuple[str, bytes]], position: int) -> Iterator[Row]:
    """Yield the rows of those that had been closed by a position."""
    for key, body in found:
        stored = msgspec.json.decode(body, type=ClosedBody)
        if stored.closed <= position:
            yield {**msgspec.json.decode(stored.row), "position": int(key), "closed": True}
