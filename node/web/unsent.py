"""Large answers that wait for their clients: sent in pieces, and bounded in their sum.

A document of a large job has many megabytes. Given to the server whole it would lie there twice for
each client that takes its time, for as many clients as there may be.
"""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

PIECE_BYTES = 256 * 1024
UNSENT_BYTES_MAX = 128 * 1024 * 1024
"""Of all that is larger than a piece; one answer may be larger if nothing else waits."""


class Unsent:
    """Counts what has been made and is not sent; `too_much` answers while there is too much."""

    def __init__(self, too_much: ASGIApp, bytes_max: int = UNSENT_BYTES_MAX) -> None:
        self.size_bytes = 0
        self._too_much = too_much
        self._bytes_max = bytes_max

    def bounded(self, app: ASGIApp) -> ASGIApp:
        """Return an application whose answers are sent in pieces, as far as there is room."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            sending = _Sending(self, send)
            try:
                await app(scope, receive, sending.send)
                if sending.refused:
                    await self._too_much(scope, receive, send)
            finally:
                self.size_bytes -= sending.counted_bytes

        return answer

    def take(self, size_bytes: int) -> bool:
        """Count an answer if there is room for it."""
        room = not self.size_bytes or self.size_bytes + size_bytes <= self._bytes_max
        self.size_bytes += size_bytes if room else 0
        return room


class _Sending:
    """One answer. Its head is sent with the first of its body, until when it can be another."""

    def __init__(self, unsent: Unsent, send: Send) -> None:
        self.refused = False
        self.counted_bytes = 0
        self._unsent = unsent
        self._send = send
        self._head: MutableMapping[str, Any] | None = None

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        whole = self._head is not None and not more
        if whole and len(body) > PIECE_BYTES:
            self.refused = not self._unsent.take(len(body))
            self.counted_bytes = 0 if self.refused else len(body)
        if self.refused:
            return
        if self._head is not None:
            head, self._head = self._head, None
            await self._send(head)
        for start in range(0, len(body) or 1, PIECE_BYTES):
            piece = body[start : start + PIECE_BYTES]
            last = start + PIECE_BYTES >= len(body)
            await self._send({**message, "body": piece, "more_body": more or not last})
