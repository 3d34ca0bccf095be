"""Pages of events from the log, as rows: oldest first behind a position, or newest first before."""

from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from events.entry import Entry, read_entry
from events.errors import EventError, NewerEvent
from events.log import Readable, Record
from events.subjects import NET, Address, parse
from projections.summary import summary_of

PAGE_BYTES_MAX = 1024 * 1024
"""A page ends sooner when its events are large."""

FIRST_SPAN = 1_000
SPAN_GROWTH = 8
"""Newest events are looked for in stretches of the log, each so much longer than the one before."""


async def oldest(
    log: Readable,
    filters: Sequence[str],
    *,
    after: int,
    until: int,
    limit: int,
    bytes_max: int = PAGE_BYTES_MAX,
) -> tuple[list[Record], int | None]:
    """Return the first records behind `after` up to `until`, and where to go on behind."""
    found: list[Record] = []
    size_bytes = 0
    async with aclosing(log.read(filters, after=after)) as batches:  # type: ignore[type-var]
        async for records in batches:
            for record in records:
                if record.position > until:
                    return found, None
                if len(found) == limit or (found and size_bytes > bytes_max):
                    return found, found[-1].position
                found.append(record)
                size_bytes += len(record.body)
    return found, None


async def newest(
    log: Readable, filters: Sequence[str], *, before: int, first: int, limit: int
) -> tuple[list[Record], int | None]:
    """Return the last records before `before`, newest first, and what to go on before."""
    found: list[Record] = []
    size_bytes = 0
    span, stop = max(FIRST_SPAN, limit + 1), before
    while stop > first and len(found) <= limit:
        start = max(first, stop - span)
        for record in reversed(await _last(log, filters, start, stop, limit + 1 - len(found))):
            if len(found) == limit or (found and size_bytes > PAGE_BYTES_MAX):
                return found, found[-1].position
            found.append(record)
            size_bytes += len(record.body)
        stop, span = start, span * SPAN_GROWTH
    return found, None


async def _last(
    log: Readable, filters: Sequence[str], start: int, stop: int, count: int
) -> list[Record]:
    """Return the last records with `start <= position < stop`; `start` is not before the first."""
    kept: deque[Record] = deque(maxlen=count)
    kept_bytes = 0
    async with aclosing(log.read(filters, after=start - 1)) as batches:  # type: ignore[type-var]
        async for records in batches:
            for record in records:
                if record.position >= stop:
                    return list(kept)
                if len(kept) == count:
                    kept_bytes -= len(kept[0].body)
                kept.append(record)
                kept_bytes += len(record.body)
                while kept_bytes > 2 * PAGE_BYTES_MAX and len(kept) > 1:
                    kept_bytes -= len(kept.popleft().body)
    return list(kept)


def event_rows(record: Record, kinds: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return a row for each event that a message is now; only those of `kinds` if there are any."""
    try:
        entry = read_entry(record)
    except NewerEvent as error:
        return [_newer(record, parse(record.subject), error)]
    except EventError as error:
        return [_row(record, summary=str(error))]
    return [_event(part) for part in entry.parts() if not kinds or part.address.kind in kinds]


def page(records: Sequence[Record], kinds: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of a page."""
    return [row for record in records for row in event_rows(record, kinds)]


def _event(entry: Entry) -> dict[str, Any]:
    event, address = entry.event, entry.address
    return _row(
        entry.record,
        **_whose(address),
        type=address.kind,
        id=event.id,
        causation=event.causationid,
        time=event.time,
        summary=summary_of(entry),
        data=msgspec.to_builtins(event.data),
    )


def _newer(record: Record, address: Address, error: NewerEvent) -> dict[str, Any]:
    return _row(
        record,
        **_whose(address),
        type=error.kind,
        id=error.id,
        time=error.time,
        summary=error.what,
        newer=True,
    )


def _whose(address: Address) -> dict[str, Any]:
    job = None if address.job == NET else address.job
    return {"job": job, "role": address.role, "author": address.author}


def _row(record: Record, **told: Any) -> dict[str, Any]:
    unsaid = ("job", "type", "role", "author", "id", "causation", "time", "data")
    return {
        "position": record.position,
        "subject": record.subject,
        **dict.fromkeys(unsaid),
        "newer": False,
        **told,
    }
