"""`lota events export`: the log, or a part of it, as a file."""

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from node.cli.output import note
from node.cli.server import Connection, Server, connected

if TYPE_CHECKING:
    from events.archive.exporting import Exported
    from events.archive.lines import BaseRef, Header, Selection
    from events.jetstream import History

STDOUT = "-"
STREAM = "LOTA"


async def export(
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"], allow_leading_hyphen=True)] = STDOUT,
    job: str | None = None,
    since: str | None = None,
    until: str | None = None,
    server: Server | None = None,
) -> None:
    """Write the events of the log, as they are stored, to a file of JSON lines.

    The file also holds the blobs that the events name, and ends with a digest of it all. It can be
    read without a server (--from) and imported into another one. There is no file of that name
    before it is whole.

    Example: lota events export -o log.jsonl.zst

    Parameters
    ----------
    output
        The file to write, compressed if it ends in .zst; - is stdout.
    job
        Only this job's events: its id, or the start of it.
    since
        Begin at this position or time: 1234, 2026-11-23T09:00:00Z, 2026-11-23 or 2h (ago).
    until
        End at this position, or before this time.
    """
    from events.archive.lines import Selection
    from events.client.points import read_point
    from events.clock import now_ms
    from node.jobs import find_job

    async with connected(server) as connection:
        now = now_ms()
        selection = Selection(
            job=await find_job(connection.log, job) if job else None,
            since=None if since is None else read_point(since, now),
            until=None if until is None else read_point(until, now),
        )
        done = await _export(connection, selection, output)
    for cid in done.missing:
        note(f"lota: blob {cid} is named by an event and not there; the export is without it")
    if output != STDOUT:
        note(f"lota: {done.events:,} event(s) and {done.blobs:,} blob(s) are in {output}")


async def _export(connection: Connection, selection: "Selection", output: str) -> "Exported":
    from events.archive.exporting import write_export
    from events.archive.files import in_thread, writing
    from events.archive.lines import Selection
    from events.jetstream import History, open_blobs
    from events.subjects import EVERYTHING, job_events
    from node.cli.event_progress import EventProgress

    blobs = await open_blobs(connection.client)
    history = History(connection.client)
    try:
        first, last = await _range(history, selection)
        # All of a twin is what the twin was made from, in the words of that export.
        twin = connection.log.twin if selection == Selection() else None
        header = _header(twin, selection, first, last, await history.base())
        wanted = EVERYTHING if selection.job is None else job_events(selection.job)
        messages = history.read(wanted, first=first, last=last)
        expected = last - first + 1 if selection.job is None else None
        stdout = nullcontext(sys.stdout.buffer)
        with EventProgress("exporting", expected) as progress:
            async with in_thread(stdout if output == STDOUT else writing(Path(output))) as file:
                done = await write_export(file, header, messages, blobs, progress=progress.add)
                await asyncio.to_thread(file.flush)
        return done
    finally:
        await history.close()


def _header(
    twin: "Header | None", selection: "Selection", first: int, last: int, base: "BaseRef | None"
) -> "Header":
    """Return the first line; what begins where the log does begins with its base."""
    import msgspec

    from events.archive.lines import Header
    from events.clock import now_ms
    from events.times import rfc3339

    created = rfc3339(now_ms())
    if twin is not None:
        return msgspec.structs.replace(twin, created=created)
    header = Header(stream=STREAM, created=created, filter=selection, first=first, last=last)
    if base is None or selection.job is not None or first != base.position + 1:
        return header
    return msgspec.structs.replace(header, base=base)


async def _range(history: "History", selection: "Selection") -> tuple[int, int]:
    """Return the first and the last position to export. Raises WrongUsage for what is not there."""
    from events.errors import WrongUsage

    begin, end = await history.bounds()
    first = begin if selection.since is None else await _position(history, selection.since)
    last = end
    if isinstance(selection.until, int):
        last = selection.until
    elif selection.until is not None:
        last = await _position(history, selection.until) - 1
    hint = f"the log holds positions {begin} to {end}"
    beyond = max(first if isinstance(selection.since, int) else 0, last)
    if beyond > end:
        raise WrongUsage(f"position {beyond} is beyond the end of the log", hint=hint)
    if isinstance(selection.since, int) and first < begin:
        raise WrongUsage(f"position {first} is not in the log any more", hint=hint)
    if selection.until is not None and last < begin:
        raise WrongUsage(f"nothing is in the log before {selection.until}", hint=hint)
    if selection.since is not None and first > end:
        raise WrongUsage(f"nothing is in the log since {selection.since}", hint=hint)
    if first > last and selection.until is not None:
        raise WrongUsage(f"nothing lies between {selection.since} and {selection.until}", hint=hint)
    return first, last


async def _position(history: "History", point: int | str) -> int:
    from events.times import parse_ms

    return point if isinstance(point, int) else await history.position_since(parse_ms(point))
