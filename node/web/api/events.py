"""The events of the log as they come, to any number of clients, each from where it left off."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import cached_property
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from events.codec import PRESENT
from events.entry import read_entry
from events.errors import EventError, LogError, LogUnavailable, NewerEvent, NotAdmitted
from events.log import Followed, Record
from events.selection import filters
from events.subjects import Address
from node.web.api.asking import EventsQuery
from node.web.api.event_stream import BEGINNING, EventStream, entered, frame, live, place_asked
from node.web.api.hub import Client, Hub
from node.web.api.rows import oldest
from node.web.api.shared import Api
from node.web.problems import Refused

PAGE = 500
PAGE_BYTES_MAX = 128 * 1024
"""What a client that is far behind reads of the log at one time, and may hold while it is slow."""

FIELD_BYTES = 64
RETRY_S = 1.0

log = logging.getLogger(__name__)


class Told:
    """A message of the log, to be sent; it is read when somebody wants it."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.position = record.position
        self.size_bytes = 2 * len(record.body) + FIELD_BYTES

    @cached_property
    def text(self) -> bytes:
        """The event as it is sent, empty for what is none."""
        try:
            kind = read_entry(self.record).address.kind
        except NewerEvent as error:
            kind = error.kind
        except EventError:
            return b""
        return frame(self.position, kind, self.record.body)


class Chosen(NamedTuple):
    """Events of these types as they are stored, of this job; of all, where nothing is named."""

    kinds: frozenset[str]
    job: str

    def __contains__(self, item: object) -> bool:
        assert isinstance(item, Told)
        words = item.record.subject.split(".", 6)
        if len(words) < len(Address._fields) + 2:
            return False  # a stranger's, of which nothing is sent
        job, kind = words[3], words[6]
        return (not self.kinds or kind in self.kinds) and (not self.job or job == self.job)


async def follow(followed: Followed, hub: Hub) -> None:
    """Read the log into the hub from where it stands, until it is closed; also when it is gone for
    a while, or another replaces it. Raises NotAdmitted.
    """
    lost = False
    while True:
        try:
            if lost:
                hub.begin(await followed.last())
            lost = False
            batches = followed.follow(after=hub.last)
            async with aclosing(batches):  # type: ignore[type-var] # every log reads by a generator
                async for records in batches:
                    hub.add([Told(record) for record in records], records[-1].position)
            break
        except NotAdmitted:
            raise
        except LogUnavailable as error:
            log.info("waiting for the log: %s", error.what)
            await asyncio.sleep(RETRY_S)
        except LogError as error:
            log.warning("looking again at the log: %s", error.what)
            lost = True
    raise LogUnavailable("the log was closed", hint="begin again")


async def stream_events(api: Api, query: EventsQuery, request: Request) -> Response:
    """Stream events as they are stored: CloudEvents documents as server-sent events.

    `id` is the position, `event` the type. With `after`, or the header `Last-Event-ID`, the stream
    begins behind that position, else with what comes. Who is too slow is cut off, and goes on
    behind the last id that it has.
    """
    hub = api.events
    after = place_asked(query.after, request)
    if after is None:
        after = hub.last
    elif after > hub.last and after > await api.observer.log.last():
        raise Refused(
            409, f"the log has no position {after} yet", hint="it is another log: begin anew"
        )
    base = await api.observer.log.base()
    if base is not None and 0 < after < base.position:
        raise Refused(
            410, f"what was behind {after} is in an archive", hint=f"begin at {base.position}"
        )
    job = await api.observer.job_id(query.job) if query.job else ""
    kinds = frozenset(stored for kind in query.type for stored in PRESENT.stored_as(kind))
    client = entered(hub, after)
    wanted = filters(job or None, query.type)
    chunks = _chunks(api, client, wanted, Chosen(kinds, job))
    return EventStream(hub, client, chunks)


async def _chunks(
    api: Api, client: Client, wanted: Sequence[str], chosen: Chosen
) -> AsyncGenerator[bytes, None]:
    hub = api.events
    yield BEGINNING
    while client.place < hub.floor and not (client.gone or hub.closed):
        until = hub.last
        async with api.following_reads:
            records, following = await oldest(
                api.observer.log,
                wanted,
                after=client.place,
                until=until,
                limit=PAGE,
                bytes_max=PAGE_BYTES_MAX,
            )
        client.place = until if following is None else following
        if data := b"".join(Told(record).text for record in records):
            yield data
    async with aclosing(live(hub, client, chosen)) as chunks:
        async for chunk in chunks:
            yield chunk
