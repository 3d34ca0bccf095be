"""What a subscriber asks for and gets: events by type and job, from a point on, understood.

Replay and what comes are one read of one consumer, so there is no seam between them; see
`events.jetstream.reader` for how a read goes on when its connection or server is lost.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from events.client.points import is_ago, read_point
from events.entry import Entry, read_entry
from events.errors import EventError, WrongUsage
from events.jetstream import History
from events.log import Record
from events.subjects import JOB_ID
from events.times import parse_ms

OnForeign = Callable[[Record, EventError], None]
"""Told of each message that is passed over, and why: it is none of Lota's, or a newer version's
(`NewerEvent`)."""


def require_job_id(text: str) -> None:
    """Raise WrongUsage unless a text may be a job's whole id."""
    if not JOB_ID.fullmatch(text):
        raise WrongUsage(f"{text!r} is no job id", hint="lota job ls shows the ids")


async def first_position(history: History, since: int | str, now_ms: int) -> int:
    """Return the position that a read begins at: `since`, or the first stored since that time.

    `since` is as `events.client.points` reads it; times are those at which the server stored the
    events. The position behind the last one is where the next event will be. Raises WrongUsage for
    what lies further on, for a time to come, and for a point before the first event. That a log is
    younger than so long ago is no error, unless its beginning is archived.
    """
    point = read_point(str(since), now_ms)
    if isinstance(point, int):
        first, last = await history.bounds()
        if point > last + 1:
            raise WrongUsage(
                f"position {point} is beyond the end of the log",
                hint=f"its last position is {last}" if last else "the log has no events",
            )
        if point < first:
            raise WrongUsage(
                f"position {point} is before the first event of the log",
                hint=f"it begins at position {first}; what was before is archived",
            )
        return point
    if parse_ms(point) > now_ms:
        raise WrongUsage(f"{point} is a time to come", hint="give one that has passed")
    return await _first_since(history, point, ago=is_ago(str(since)))


async def _first_since(history: History, moment: str, *, ago: bool) -> int:
    first, last = await history.bounds()
    found = await history.position_since(parse_ms(moment))
    if found > first or last < first or (ago and first == 1):
        return found
    began = await history.time_of(first)
    if parse_ms(moment) >= parse_ms(began):
        return found
    raise WrongUsage(
        f"{moment} is before the first event of the log",
        hint=f"that is of {began}, at position {first}"
        + ("" if first == 1 else "; what was before is archived"),
    )


async def entries(
    batches: AsyncIterator[list[Record]], on_foreign: OnForeign
) -> AsyncGenerator[list[Entry], None]:
    """Yield the events of each batch, and close `batches` in the end.

    A message whose type was split since gives several entries with its one position.
    """
    async with aclosing(batches):  # type: ignore[type-var] # every log reads by a generator
        async for records in batches:
            batch: list[Entry] = []
            for record in records:
                try:
                    batch.extend(read_entry(record).parts())
                except EventError as error:
                    on_foreign(record, error)
            yield batch
