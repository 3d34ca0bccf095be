"""Bytes that strangers wrote, as an answer: no browser shows them as a page or runs anything."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from events.errors import LotaError
from node.web.leaving import left

TEXT = "text/plain; charset=utf-8"
HARMLESS = {
    "cache-control": "no-store",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
}

log = logging.getLogger(__name__)


class BytesAnswer(Response):
    """Streams chunks; however it ends, and also when the client leaves, what they come from is
    closed.

    What breaks off has no end on the wire either, so that the client sees that bytes are missing.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        status: int,
        headers: Mapping[str, str],
        stack: AsyncExitStack,
    ) -> None:
        super().__init__(None, status, dict(headers))
        if "content-length" not in headers:
            del self.headers["content-length"]
        self._chunks = chunks
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.ensure_future(left(receive))
        try:
            await self._send(scope, send, leaving)
        finally:
            leaving.cancel()

    async def _send(self, scope: Scope, send: Send, leaving: asyncio.Future[None]) -> None:
        async with self._stack, aclosing(self._chunks) as chunks:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            if scope["method"] != "HEAD":
                try:
                    async for chunk in chunks:
                        if leaving.done():
                            return
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                except LotaError as error:
                    log.warning("%r breaks off: %s", scope["path"], error)
                    return
            await send({"type": "http.response.body", "body": b""})


async def begun(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Give a chunk that was taken already, and then the rest."""
    yield first
    async for chunk in rest:
        yield chunk
