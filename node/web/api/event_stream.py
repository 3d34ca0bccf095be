"""An answer that goes on: server-sent events, until the client goes, is too slow, or we stop."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from events.errors import LotaError
from node.web.api.hub import EVERYTHING, Choice, Client, Hub
from node.web.problems import Refused

POSITION_DIGITS_MAX = 15
RETRY_MS = 2_000
BEGINNING = f"retry: {RETRY_MS}\n\n".encode()
PING = b": ping\n\n"

log = logging.getLogger(__name__)


class EventStream(Response):
    """Sends what a generator gives; the client's place in the hub is given up in the end."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, client: Client, chunks: AsyncGenerator[bytes, None]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._client = client
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watching = asyncio.ensure_future(self._watch(receive))
        try:
            headers = self.raw_headers
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if scope["method"] != "HEAD":
                await self._send(send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            watching.cancel()
            self._hub.part(self._client)

    async def _send(self, send: Send) -> None:
        try:
            async with aclosing(self._chunks) as chunks:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except LotaError as error:
            log.warning("a stream of events ends: %s", error)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._client.leave()


def entered(hub: Hub, place: int) -> Client:
    """Return a new client of a hub; raises `Refused` when there is no room for one."""
    if hub.full:
        raise Refused(
            503,
            "too many follow already" if not hub.closed else "this server stops",
            hint="come again after as many seconds as the header Retry-After says",
            headers={"retry-after": "5"},
        )
    return hub.join(place)


def place_asked(after: int | msgspec.UnsetType, request: Request) -> int | None:
    """Return the position to begin behind: who comes again says so in a header, which wins."""
    last = request.headers.get("last-event-id", "")
    if not last:
        return None if after is msgspec.UNSET else after
    if not (last.isascii() and last.isdigit() and len(last) <= POSITION_DIGITS_MAX):
        raise Refused(422, "the header Last-Event-ID is no position", hint="leave it out")
    return int(last)


async def live(
    hub: Hub, client: Client, choice: Choice = EVERYTHING
) -> AsyncGenerator[bytes, None]:
    """Give what comes, and a ping now and then; end when the client has lost its place."""
    while not (client.gone or hub.closed):
        if client.place < hub.floor:
            hub.dropped += 1
            return
        client.wake.clear()
        chunk = hub.chunk(client.place, choice)
        client.place = chunk.place
        if chunk.data:
            yield chunk.data
        elif client.pinged(hub.beat):
            yield PING
        elif client.place >= hub.last:
            await client.wake.wait()


def frame(position: int, event: str, data: bytes) -> bytes:
    """Return one event as it is sent; a line break in JSON can only be space between tokens."""
    line = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (position, event.encode(), line)
