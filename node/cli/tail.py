"""`lota events tail`: the log as it is, for eyes and for pipes."""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from events.errors import WrongUsage
from node.cli.output import console, note
from node.cli.server import Server, connected

if TYPE_CHECKING:
    from rich.console import Console

    from events.entry import Entry
    from events.errors import NewerEvent
    from events.log import Record
    from events.subjects import Address


async def tail(
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative=())] = False,
    job: str | None = None,
    type: Annotated[list[str] | None, Parameter(negative=())] = None,
    from_position: int = 1,
    output: Annotated[Literal["text", "json"], Parameter(name=["--output", "-o"])] = "text",
    server: Server | None = None,
) -> None:
    """Print the events of the log in order, from the first one on.

    Example: lota events tail --follow -o json

    Parameters
    ----------
    follow
        Go on with what comes, until Ctrl-C.
    job
        Only this job's events: its id, or the start of it.
    type
        Only events of this type, such as results.proposed; may be given several times.
    from_position
        Begin at this position of the log.
    output
        `json` prints each stored CloudEvents document as it is, one a line.
    """
    from events.selection import filters, read_kinds
    from node.jobs import find_job

    if from_position < 1:
        raise WrongUsage(f"--from-position is {from_position}", hint="positions count from 1")
    kinds = read_kinds(type or [])
    async with connected(server) as connection:
        log = connection.log
        wanted = filters(await find_job(log, job) if job else None, kinds)
        start = log.follow if follow else log.read
        await _print(start(wanted, after=from_position - 1), as_json=output == "json")


async def _print(batches: AsyncIterator[list["Record"]], *, as_json: bool) -> None:
    from events.entry import read_entry
    from events.errors import EventError, NewerEvent

    foreign, newer = 0, Counter[str]()
    screen = None if as_json else console()
    try:
        async for records in batches:
            for record in records:
                try:
                    entry = read_entry(record)
                except NewerEvent as error:
                    newer[error.type] += 1
                    if screen is None:
                        _print_body(record)
                    else:
                        _print_newer(screen, record, error)
                    continue
                except EventError as error:
                    foreign += 1
                    note(f"lota: skipped {record.position} {record.subject}: {error}")
                    continue
                if screen is None:
                    _print_body(record)
                else:
                    _print_line(screen, entry)
            sys.stdout.flush()
    finally:
        if foreign:
            note(f"lota: {foreign} message(s) on the log are no events of ours")
        for name, count in newer.items():
            note(f"lota: {count} event(s) {name} were written by a newer version of Lota")


def _print_body(record: "Record") -> None:
    # A line break in JSON can only be space between tokens.
    sys.stdout.buffer.write(record.body.replace(b"\n", b" ") + b"\n")


def _print_line(screen: "Console", entry: "Entry") -> None:
    from projections.summary import summary_of

    _print_parts(screen, entry.position, entry.event.time, entry.address, summary_of(entry))


def _print_newer(screen: "Console", record: "Record", error: "NewerEvent") -> None:
    from events.subjects import parse

    _print_parts(screen, record.position, error.time, parse(record.subject), error.what)


def _print_parts(
    screen: "Console", position: int, time: str, address: "Address", said: str
) -> None:
    from rich.text import Text

    styles = {"r": "magenta", "c": "cyan", "g": "green"}
    screen.print(
        Text.assemble(
            (f"{position:>8} {time} ", "dim"),
            (f"{address.kind:<22} ", styles[address.role]),
            f"{address.job} {address.author} ",
            (said, "dim"),
        ),
        soft_wrap=True,
    )
