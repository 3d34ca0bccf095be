"""`lota job ls`: all jobs, from the log itself."""

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from events.errors import WrongUsage
from node.cli.output import Columns, OutputOption, show_rows
from node.cli.server import Server, connected

if TYPE_CHECKING:
    from events.log import Log

State = Literal["submitted", "running", "completed", "failed", "cancelled"]
Row = dict[str, Any]

COLUMNS: Columns = {
    "id": "ID",
    "name": "NAME",
    "state": "STATE",
    "shards": "SHARDS",
    "age": "AGE",
    "took": "TOOK",
    "reason": "REASON",
}


async def ls(
    *,
    state: Annotated[list[State] | None, Parameter(negative=())] = None,
    label: Annotated[list[str] | None, Parameter(negative=())] = None,
    limit: int = 50,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
    output: OutputOption = "table",
    server: Server | None = None,
) -> None:
    """List jobs, newest first.

    Example: lota job ls --state running

    Parameters
    ----------
    state
        Only jobs in this state; may be given several times.
    label
        Only jobs with this label, KEY=VALUE or KEY; all that are given must match.
    limit
        At most so many jobs; 0 for all.
    quiet
        Print the ids only.
    """
    if limit < 0:
        raise WrongUsage(f"--limit is {limit}", hint="0 shows all jobs")
    async with connected(server) as connection:
        rows = await _rows(connection.log, _Wanted(state or [], label or []), limit)
    if quiet:
        for row in rows:
            print(row["id"])
        return
    if output == "table":
        show_rows([_table_row(row) for row in rows], COLUMNS, output)
    else:
        show_rows(rows, COLUMNS, output)


class _Wanted:
    """Which jobs to list."""

    def __init__(self, states: list[State], labels: list[str]) -> None:
        self._states = set(states)
        self._labels = [text.partition("=") for text in labels]

    def __contains__(self, row: object) -> bool:
        assert isinstance(row, dict)
        labels = row["labels"]
        return (not self._states or row["state"] in self._states) and all(
            key in labels and (not equals or labels[key] == value)
            for key, equals, value in self._labels
        )


class _Newest:
    """The newest rows only: what is older than the limit is dropped as it comes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, Row]] = []

    def add(self, position: int, row: Row) -> None:
        heapq.heappush(self._heap, (position, row))
        if self._limit and len(self._heap) > self._limit:
            heapq.heappop(self._heap)

    def __iter__(self) -> Iterator[Row]:
        return (row for _, row in sorted(self._heap, key=lambda pair: -pair[0]))


async def _rows(log: "Log", wanted: _Wanted, limit: int) -> list[Row]:
    """Fold the whole log; a job that has ended becomes its row at once and is forgotten."""
    from projections.base import begin
    from projections.state import TERMINAL
    from projections.views import job_row

    network = begin(await log.base())
    newest = _Newest(limit)
    async for records in log.read(after=network.position):
        for record in records:
            entry = network.fold(record)
            job = network.jobs.get(entry.address.job) if entry is not None else None
            if job is not None and job.state in TERMINAL:
                network.retire(job.id)
                row = job_row(job)
                if row in wanted:
                    newest.add(job.first, row)
    for job in network.jobs.values():
        row = job_row(job)
        if row in wanted:
            newest.add(job.first, row)
    return list(newest)


def _table_row(row: Row) -> Row:
    from events.clock import now_ms
    from events.times import parse_ms
    from node.cli.durations import shown

    shards = row["shards"]
    began_ms = parse_ms(row["submitted_at"])
    took = shown(parse_ms(row["ended_at"]) - began_ms) if row["ended_at"] else ""
    return {
        **row,
        "shards": f"{shards['completed']}/{shards['total']}" if shards["total"] else "",
        "age": shown(now_ms() - began_ms),
        "took": took,
    }
