"""A server's connection that ends when its client is too slow, or when there are too many.

uvicorn waits for ever for the rest of a request and for a client that does not read. Here every
wait for a client has an end, so that nobody holds a connection, or what is being sent on it, by
doing nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_MAX = 128
"""Above it requests are answered with 503; above twice as many, connections are cut unheard."""

REQUEST_S = 10.0
"""How long a whole request may take to arrive."""

STALL_S = 30.0
"""How long a client may take to read one piece of an answer (256 KiB: 9 kB/s will do)."""

KEEP_ALIVE_S = 15
HEAD_BYTES_MAX = 16 * 1024


class BoundedConnection(H11Protocol):
    """One client's connection."""

    connections_max = CONNECTIONS_MAX
    cut_off_above = 2 * CONNECTIONS_MAX
    request_s = REQUEST_S
    stall_s = STALL_S

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._arriving = _Limit(self.loop, self.request_s, self._cut_off)
        self._stalled = _Limit(self.loop, self.stall_s, self._cut_off)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; nothing waits in the buffer without being timed."""
        super().connection_made(transport)
        # A transport of TLS would take 0 for full from the start. What it sends to begin with may
        # wait already, and then the client is behind.
        transport.set_write_buffer_limits(high=1, low=0)
        if len(self.connections) > self.cut_off_above:
            transport.abort()
        else:
            self._arriving.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, with all limits."""
        self._arriving.stop()
        self._stalled.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest of a request no longer than allowed."""
        super().data_received(data)
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._arriving.stop()
        elif not self.transport.is_closing():
            self._arriving.start()

    def pause_writing(self) -> None:
        """The client is behind."""
        super().pause_writing()
        self._stalled.start()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        self._stalled.stop()

    def _cut_off(self) -> None:
        self.transport.abort()


class _Limit:
    """A time that something may take, counted from its first start."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limit_s: float, passed: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._limit_s = limit_s
        self._passed = passed
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._limit_s, self._passed)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
