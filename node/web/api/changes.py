"""That something has changed, a few times a second at most: what live pages wait for."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from events.times import rfc3339
from node.observer.observer import Observer
from node.web.api.asking import ChangesQuery
from node.web.api.event_stream import BEGINNING, EventStream, entered, frame, live, place_asked
from node.web.api.hub import Client, Hub
from node.web.api.shared import Api

NAME = "change"
HELD_MAX = 240
"""A minute of changes."""


class Changed(NamedTuple):
    """A change, as it is sent."""

    position: int
    text: bytes

    @property
    def size_bytes(self) -> int:
        """What holding it takes."""
        return len(self.text)


async def follow_changes(observer: Observer, hub: Hub) -> None:
    """Read what the observer tells into the hub, for ever."""
    async with aclosing(observer.changes()) as changes:
        async for change in changes:
            if change.position < hub.last:  # it is another log now
                hub.begin(change.position)
            text = _text(change.position, change.time_ms, change.jobs, nodes=change.nodes)
            hub.add([Changed(change.position, text)], change.position)


async def stream_changes(api: Api, query: ChangesQuery, request: Request) -> Response:
    """Stream what has changed, at most four times a second: `{position, time, jobs, nodes}`.

    `jobs` are the ids of the jobs that events came of, null when they are many; `nodes` says
    whether one was about nodes. The first one comes at once and says where the log stands; behind
    `after`, or the header `Last-Event-ID`, it says what changed since.
    """
    hub = api.changes
    after = place_asked(query.after, request)
    client = entered(hub, hub.last if after is None else min(after, hub.last))
    return EventStream(hub, client, _chunks(api.observer, hub, client))


async def _chunks(observer: Observer, hub: Hub, client: Client) -> AsyncGenerator[bytes, None]:
    yield BEGINNING
    many = client.place < hub.floor
    client.place = hub.last if many else client.place
    yield _text(client.place, observer.time_ms, None if many else (), nodes=many)
    async with aclosing(live(hub, client)) as chunks:
        async for chunk in chunks:
            yield chunk


def _text(position: int, time_ms: int, jobs: Sequence[str] | None, *, nodes: bool) -> bytes:
    document = {
        "position": position,
        "time": rfc3339(time_ms) if time_ms else None,
        "jobs": jobs,
        "nodes": nodes,
    }
    return frame(position, NAME, msgspec.json.encode(document))
