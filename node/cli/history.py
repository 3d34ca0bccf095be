"""`lota job history`: every event of one job, as the fold took it."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from events.errors import WrongUsage
from node.cli.output import Columns, OutputOption, note, show_document, show_rows
from node.cli.server import Server, connected

if TYPE_CHECKING:
    from events.entry import Entry
    from events.errors import NewerEvent
    from events.log import Log, Record

COLUMNS: Columns = {
    "position": "POSITION",
    "time": "TIME",
    "type": "TYPE",
    "author": "AUTHOR",
    "summary": "SUMMARY",
    "mark": "",
}


async def history(
    job: str,
    /,
    *,
    timeline: Annotated[bool, Parameter(negative=())] = False,
    shard: int | None = None,
    output: OutputOption = "table",
    server: Server | None = None,
) -> None:
    """Show every event of a job: when, what, by whom; late and illegal items are marked.

    Late means that it changed nothing any more, illegal that it was skipped and why. What each
    event changed is shown by lota replay --job JOB --step.

    Example: lota job history 01kb2m

    Parameters
    ----------
    job
        The job's id, or the start of it.
    timeline
        Show a lane for each execution instead, and how long the stages took.
    shard
        Of the timeline, show this shard alone.
    """
    from node.jobs import find_job

    if shard is not None and not timeline:
        raise WrongUsage("--shard is about the timeline", hint="give --timeline too")
    async with connected(server) as connection:
        name = await find_job(connection.log, job)
        if timeline:
            await _show_timeline(connection.log, name, shard, output)
            return
        rows = await _rows(connection.log, name)
    if output == "table":
        show_rows([{**row, "mark": _mark(row)} for row in rows], COLUMNS, output)
        foreign = sum(row["type"] is None for row in rows)
        newer = sum(row["newer"] for row in rows)
        if newer:
            note(f"lota: {newer} event(s) were written by a newer version of Lota, and skipped")
        if foreign:
            note(f"lota: {foreign} message(s) on the job's subjects are no events of ours")
    else:
        show_rows(rows, COLUMNS, output)


async def _show_timeline(log: "Log", job: str, shard: int | None, output: OutputOption) -> None:
    from events.clock import now_ms
    from events.subjects import job_events
    from node.cli.lanes import show_lanes
    from node.jobs import shard_indexes, unreadable
    from projections.base import begin
    from projections.lanes import Lanes, lanes_view

    network, lanes = begin(await log.base()), Lanes()
    async for records in log.read((job_events(job),), after=network.position):
        for record in records:
            entry = network.fold(record)
            if entry is not None and job in network.jobs:
                lanes.note(network.jobs[job], entry)
    if job not in network.jobs:
        raise unreadable(network, job)
    if shard is not None:
        shard_indexes(network.jobs[job], shard)
    view = lanes_view(network.jobs[job], lanes, shard, now_ms=now_ms())
    if output == "table":
        show_lanes(view)
    else:
        show_document(view, output)


async def _rows(log: "Log", job: str) -> list[dict[str, Any]]:
    from events.errors import NewerEvent
    from events.subjects import job_events
    from projections.base import begin

    network = begin(await log.base())
    rows = []
    async for records in log.read((job_events(job),), after=network.position):
        for record in records:
            before = network.jobs.get(job)
            late, illegal = (before.late, before.illegal) if before is not None else (0, 0)
            entry = network.fold(record)
            after = network.jobs.get(job)
            row: dict[str, Any] = {
                "position": record.position,
                "id": None,
                "time": None,
                "type": None,
                "author": None,
                "summary": "",
                "newer": False,
                "late": 0,
                "illegal": [],
            }
            if entry is not None:
                row.update(_event_row(entry))
            elif isinstance(network.skipped, NewerEvent):
                row.update(_newer_row(record, network.skipped))
            else:
                row["summary"] = str(network.skipped)
            if after is not None:
                skipped = min(after.illegal - illegal, len(after.stories))
                row["late"] = after.late - late
                row["illegal"] = [
                    f"{story.item} in state {story.state}: {story.why}"
                    for story in after.stories[len(after.stories) - skipped :]
                ]
            rows.append(row)
    return rows


def _event_row(entry: "Entry") -> dict[str, Any]:
    from projections.summary import summary_of

    return {
        "id": entry.event.id,
        "time": entry.event.time,
        "type": entry.address.kind,
        "author": entry.address.author,
        "summary": summary_of(entry),
    }


def _newer_row(record: "Record", error: "NewerEvent") -> dict[str, Any]:
    from events.subjects import parse

    return {
        "id": error.id,
        "time": error.time,
        "type": error.kind,
        "author": parse(record.subject).author,
        "summary": error.what,
        "newer": True,
    }


def _mark(row: dict[str, Any]) -> str:
    marks = [f"late: {row['late']}"] if row["late"] else []
    marks += [f"illegal: {why}" for why in row["illegal"]]
    if row["newer"]:
        marks.append("newer: skipped")
    if row["type"] is None:
        marks.append("foreign")
    return "; ".join(marks)
