"""`lota log stats`: what the log holds, and what its history costs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from node.cli.output import Columns, OutputOption, cell, console, show_document, show_rows
from node.cli.server import Server, connected

if TYPE_CHECKING:
    from nats.aio.client import Client

    from events.jetstream import LogState
    from events.log import Readable
    from node.survey import Survey
    from node.webhooks.registry import Listed

DEFAULT_UNTIL = "1h"
"""What is younger is not archived unless somebody says so: a client may still submit it again."""

SUBJECT_BYTES = 250
"""What the server's memory holds of each subject: 230 to 250 MB were measured for a million."""

TYPES: Columns = {"type": "TYPE", "events": "EVENTS", "bytes": "BYTES"}


async def stats(
    *, until: str = DEFAULT_UNTIL, output: OutputOption = "table", server: Server | None = None
) -> None:
    """Show what the log holds, what that costs on disk and in the server's memory, and what of it
    could be archived.

    Example: lota log stats -o json

    Parameters
    ----------
    until
        Count as archivable what is older than this position or time, or than so long ago.
    """
    from events.jetstream import Retention
    from node.cli.event_progress import EventProgress

    async with connected(server) as connection:
        retention = Retention(connection.client)
        state = await retention.state()
        blobs_bytes = await retention.blobs_bytes()
        with EventProgress("looking", state.last - state.first + 1) as progress:
            found = await look(connection.client, connection.log, state, until, progress.add)
    view = _view(state, found, blobs_bytes)
    if output == "table":
        _show(view, until)
    else:
        show_document(view, output)


async def look(
    client: "Client",
    log: "Readable",
    state: "LogState",
    until: str,
    progress: Callable[[int], None],
) -> "Survey":
    """Fold the log and say what of it, up to a point as people name it, could be archived.

    Raises WrongUsage for what is no point.
    """
    from events.client.points import read_point
    from events.clock import now_ms
    from events.jetstream import History
    from events.times import parse_ms
    from node.survey import owed_by, survey

    point = read_point(until, now_ms())
    history = History(client)
    try:
        if isinstance(point, str):
            point = await history.position_since(parse_ms(point)) - 1
    finally:
        await history.close()
    owed = owed_by(await _webhooks(client))
    first, last = state.first, state.last
    return await survey(log, first=first, last=last, until=point, owed=owed, progress=progress)


async def _webhooks(client: "Client") -> list["Listed"]:
    """Return all webhooks, none where nobody has ever registered one."""
    from events.jetstream import JetStreamKeyValues, Refused
    from events.jetstream.api import STREAM_NOT_FOUND
    from node.webhooks.registration import BUCKET
    from node.webhooks.registry import Registry

    values = JetStreamKeyValues(client, BUCKET)
    try:
        return await Registry(values).all()
    except Refused as refusal:
        if refusal.error.err_code != STREAM_NOT_FOUND:
            raise
        return []
    finally:
        await values.close()


def _view(state: "LogState", found: "Survey", blobs_bytes: int) -> dict[str, Any]:
    import msgspec

    moved = found.archivable
    can = moved.last >= moved.first
    return {
        "first": state.first,
        "last": state.last,
        "events": state.last - state.first + 1,
        "first_time": state.first_time,
        "last_time": state.last_time,
        "disk_bytes": state.bytes,
        "subjects": state.subjects,
        "memory_bytes": state.subjects * SUBJECT_BYTES,
        "blobs_bytes": blobs_bytes,
        "replicas": state.replicas,
        "archived_until": state.base.position if state.base is not None else None,
        "jobs": {"open": found.open, "closed": found.closed},
        "oldest_open": msgspec.to_builtins(found.oldest),
        "owed": msgspec.to_builtins(found.owed),
        "archivable": {
            "until": moved.last if can else None,
            "events": moved.events,
            "jobs": moved.jobs,
            "disk_bytes": state.bytes * moved.events // max(1, state.messages),
        },
        "types": [
            {"type": kind, "events": count, "bytes": found.bytes[kind]}
            for kind, count in found.events.items()
        ],
    }


def _show(view: dict[str, Any], until: str) -> None:
    from rich.table import Table

    from node.words import size

    jobs, moved, held = view["jobs"], view["archivable"], view["oldest_open"]
    owed = view["owed"]
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = {
        "Positions": f"{view['first']:,} to {view['last']:,}, {view['events']:,} event(s)",
        "Stored": f"{view['first_time']} to {view['last_time']}",
        "On disk": f"{size(view['disk_bytes'])}, blobs {size(view['blobs_bytes'])}"
        + (f", on each of {view['replicas']} servers" if view["replicas"] > 1 else ""),
        "In memory": f"about {size(view['memory_bytes'])} of the server's, for "
        f"{view['subjects']:,} subject(s)",
        "Open jobs": jobs["open"] or "none",
        "Closed jobs": jobs["closed"] or "none",
        "Oldest open": f"{held['job']}, at position {held['position']:,}" if held else None,
        "Webhooks": f"{owed['webhook']} has come to position {owed['position']:,}"
        if owed
        else None,
        "Archived": f"to position {view['archived_until']:,}" if view["archived_until"] else "no",
        "Archivable": f"to position {moved['until']:,}: {moved['events']:,} event(s) of "
        f"{moved['jobs']:,} job(s), about {size(moved['disk_bytes'])}"
        if moved["until"]
        else f"nothing that is older than {until}",
    }
    for field, value in rows.items():
        if value is not None:
            table.add_row(f"{field}:", cell(value))
    console().print(table)
    if view["types"]:
        print()
        show_rows(view["types"], TYPES, "table")
