"""A log to be read up to a point: that of a server, or the export of one."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from events.errors import NotFound, WrongUsage
from events.log import EVERYTHING, Base, Readable
from node.cli.audit import scope_from, scope_of
from node.cli.server import Server, connected

if TYPE_CHECKING:
    from events.log import Record
    from projections.audit import Scope


class Recorded(NamedTuple):
    """A log, the first and the last position that it has, and its positions by the server's time.

    An empty log has no first position: `first` is then above `last`. `scope` says what it holds of
    the log that it comes from, and `base` what stood before `first` if that was archived.
    """

    log: Readable
    first: int
    last: int
    position_since: Callable[[int], Awaitable[int]]
    scope: "Scope"
    base: Base | None


@asynccontextmanager
async def recorded(file: Path | None, options: Server | None) -> AsyncIterator[Recorded]:
    """Open the export, or the log of the server where there is none, for one command.

    Raises LogUnavailable, ExportError, and WrongUsage when both are named.
    """
    if file is not None:
        from events.archive.file_log import FileLog

        refuse_server(options)
        export = await FileLog.open(file)
        first = export.contents.first or export.header.last + 1
        scope = scope_of(export.header)
        base, last = await export.base(), export.header.last
        yield Recorded(export, first, last, export.position_since, scope, base)
        return
    from events.jetstream import History

    async with connected(options) as connection:
        history = History(connection.client)
        try:
            first, last = await history.bounds()
            base = await connection.log.base()
            scope = scope_from(first, connection.log.twin, base)
            yield Recorded(connection.log, first, last, history.position_since, scope, base)
        finally:
            await history.close()


def refuse_server(options: Server | None) -> None:
    """Refuse a server beside the file that is to be read. Raises WrongUsage."""
    if options is not None and (options.server or options.context):
        raise WrongUsage("--from reads a file, and --server a server", hint="give one of them")


async def point(source: Recorded, position: int | None, time: str | None) -> int:
    """Return the last position that is meant: as told, of what was stored by a time, or the end.

    Raises WrongUsage for a point that the log does not reach, or that lies before it.
    """
    if position is not None and time is not None:
        raise WrongUsage(
            "--until-position and --until-time are both points", hint="give one of them"
        )
    if source.last < source.first:
        raise WrongUsage("the log has no events", hint="lota demo makes some")
    if time is not None:
        return await _at(source, time)
    if position is None:
        return source.last
    if position > source.last:
        raise WrongUsage(
            f"position {position} is beyond the end of the log",
            hint=f"its last position is {source.last}",
        )
    if position < source.first:
        raise WrongUsage(
            f"position {position} is before the first event of the log",
            hint=f"it begins at position {source.first}{_archived(source)}",
        )
    return position


async def _at(source: Recorded, time: str) -> int:
    from events.client.points import read_point
    from events.clock import now_ms
    from events.times import parse_ms

    moment = read_point(time, now_ms())
    if isinstance(moment, int):
        raise WrongUsage(
            f"--until-time {time} is no time",
            hint=f"write 2026-11-23T09:00:00Z, 2026-11-23 or 2h ago; or --until-position {time}",
        )
    position = await source.position_since(parse_ms(moment) + 1) - 1
    if position < source.first:
        raise WrongUsage(
            f"{moment} is before the first event of the log",
            hint=f"that is {await _first_time(source)}{_archived(source)}",
        )
    return position


async def _first_time(source: Recorded) -> str:
    """Return when the first event happened by its own account, or its position."""
    from events.entry import read_entry
    from events.errors import EventError

    async for records in source.log.read(after=source.first - 1):
        try:
            return f"of {read_entry(records[0]).event.time}"
        except EventError:
            break
    return f"at position {source.first}"


def _archived(source: Recorded) -> str:
    return "; what was before is in an archive (--from FILE)" if source.first > 1 else ""


async def records_until(
    source: Recorded, last: int, filters: Sequence[str] = (EVERYTHING,)
) -> AsyncGenerator[list["Record"], None]:
    """Yield, in order and in batches, what the filters select up to a position, inclusive."""
    # Every log reads by a generator: who stops early closes it here, while there is a loop.
    begin = source.base.position if source.base is not None else 0
    batches = cast("AsyncGenerator[list[Record], None]", source.log.read(filters, after=begin))
    async with aclosing(batches):
        async for records in batches:
            if records[-1].position >= last:
                yield [record for record in records if record.position <= last]
                return
            yield records


async def named_job(source: Recorded, text: str) -> str:
    """Return the id of the job that `text` begins. Raises NotFound and WrongUsage."""
    from events.archive.file_log import FileLog
    from node.jobs import find_job

    try:
        return await find_job(source.log, text)
    except NotFound as error:
        if not isinstance(source.log, FileLog):
            raise
        hint = "lota replay --closed with the same --from shows what it holds"
        raise NotFound(error.what, hint=hint) from None
