"""`lota events tail`: the log as it is, for eyes and for pipes."""

import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from events.errors import EventError, NewerEvent
from node.cli.output import console, note, note_foreign, paint, plain
from node.cli.server import Connection, Server, connected

if TYPE_CHECKING:
    from events.entry import Entry
    from events.log import Record

Line = Callable[["Record", "Entry | NewerEvent"], bytes]
STYLES = {"r": "magenta", "c": "cyan", "g": "green"}
"""Who wrote an event, as a colour."""


async def tail(
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative=())] = False,
    job: str | None = None,
    type: Annotated[list[str] | None, Parameter(negative=())] = None,
    since: str | None = None,
    output: Annotated[Literal["text", "json"], Parameter(name=["--output", "-o"])] = "text",
    server: Server | None = None,
) -> None:
    """Print the events of the log in order, from the first one on.

    Example: lota events tail --since 1h --follow -o json

    Parameters
    ----------
    follow
        Go on with what comes, until Ctrl-C.
    job
        Only this job's events: its id, or the start of it.
    type
        Only events of this type, such as results.proposed; may be given several times.
    since
        Begin at this position or time: 1234, 2026-11-23T09:00:00Z, 2026-11-23 or 2h (ago).
    output
        `json` prints each stored CloudEvents document as it is, one a line.
    """
    from events.client.points import read_point
    from events.clock import now_ms
    from events.selection import filters, read_kinds
    from node.jobs import find_job

    # What is typed wrong is told before a server is asked.
    kinds = read_kinds(type or [])
    if since is not None:
        read_point(since, now_ms())
    async with connected(server) as connection:
        log = connection.log
        wanted = filters(await find_job(log, job) if job else None, kinds)
        after = await _before(connection, since)
        start = log.follow if follow else log.read
        await _print(start(wanted, after=after), _document if output == "json" else _text())


async def _before(connection: Connection, since: str | None) -> int:
    """Return the position before the one to begin at."""
    if since is None:
        return 0
    from events.client.subscribing import first_position
    from events.clock import now_ms
    from events.jetstream import History

    return await first_position(History(connection.client), since, now_ms()) - 1


async def _print(batches: AsyncIterator[list["Record"]], line: Line) -> None:
    """Print each batch as it comes, and let it be seen; say what was skipped or is newer."""
    from events.entry import read_entry

    foreign, newer = 0, Counter[str]()
    try:
        async with aclosing(batches):  # type: ignore[type-var] # every log reads by a generator
            async for records in batches:
                lines = []
                for record in records:
                    try:
                        lines.append(line(record, read_entry(record)))
                    except NewerEvent as error:
                        newer[error.type] += 1
                        lines.append(line(record, error))
                    except EventError as error:
                        foreign += 1
                        note_foreign(record, error)
                sys.stdout.buffer.write(b"".join(lines))
                sys.stdout.flush()
    finally:
        if foreign:
            note(f"lota: {foreign} message(s) on the log are no events of ours")
        for name, count in newer.items():
            note(plain(f"lota: {count} event(s) {name} were written by a newer version of Lota"))


def _document(record: "Record", _: "Entry | NewerEvent") -> bytes:
    # A line break in JSON can only be space between tokens.
    return record.body.replace(b"\n", b" ") + b"\n"


def _text() -> Line:
    """Return what makes a line for people; rich would take 50 microseconds for each."""
    from events.subjects import parse
    from projections.summary import summary_of

    screen = console()
    dim = paint(screen, "dim")
    colours = {role: paint(screen, style) for role, style in STYLES.items()}

    encoding = sys.stdout.encoding

    def line(record: "Record", found: "Entry | NewerEvent") -> bytes:
        address = parse(record.subject)
        if isinstance(found, NewerEvent):
            time, said = found.time, found.what
        else:
            address, time, said = found.address, found.event.time, summary_of(found)
        text = (
            dim(f"{record.position:>8} {time} ")
            + colours[address.role](f"{address.kind:<22} ")
            + f"{address.job} {address.author} "
            + dim(plain(said))
            + "\n"
        )
        return text.encode(encoding, "backslashreplace")

    return line
