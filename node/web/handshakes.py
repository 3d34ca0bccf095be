"""Connections on which TLS has yet to begin: bounded in time and in number.

A server of asyncio counts nobody who has not shaken hands, so who connects and says nothing could
take every file that this process may open. Here the oldest gives way when there are too many: who
means to speak TLS is done in some hundred milliseconds.
"""

import asyncio
import ssl
from collections.abc import Callable

HANDSHAKES_MAX = 256

Connect = Callable[[], asyncio.Protocol]


class Handshakes:
    """Shakes hands with who connects, `limit_s` each at most, and leads on to a new `connect`."""

    def __init__(self, context: ssl.SSLContext, connect: Connect, limit_s: float) -> None:
        self._context = context
        self._connect = connect
        self._limit_s = limit_s
        self._open: dict[_Handshake, asyncio.Transport] = {}

    def begin(self) -> asyncio.Protocol:
        """Return the protocol of one who connects."""
        return _Handshake(self)

    def close(self) -> None:
        """End all that is not done."""
        for transport in list(self._open.values()):
            transport.abort()

    def enter(self, handshake: "_Handshake", transport: asyncio.Transport) -> None:
        """Count one, in place of the oldest if need be."""
        if len(self._open) >= HANDSHAKES_MAX:
            self._open.pop(next(iter(self._open))).abort()
        self._open[handshake] = transport

    async def shake(self, handshake: "_Handshake") -> asyncio.Transport | None:
        """Return the transport that is spoken on then, None if nobody is there for it."""
        try:
            return await asyncio.get_running_loop().start_tls(
                self._open[handshake],
                handshake,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._limit_s,
            )
        except OSError:  # also what is no TLS, and no answer in time
            return None
        finally:
            self._open.pop(handshake, None)

    def connect(self) -> asyncio.Protocol:
        """Return the protocol of one who has shaken hands."""
        return self._connect()


class _Handshake(asyncio.Protocol):
    """One who connects. What is said before the server has heard of it is kept until then."""

    def __init__(self, handshakes: Handshakes) -> None:
        self._handshakes = handshakes
        self._early = bytearray()
        self._lost = False
        self._next: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._handshakes.enter(self, transport)
        self._task = asyncio.ensure_future(self._shake())

    async def _shake(self) -> None:
        transport = await self._handshakes.shake(self)
        if transport is None or self._lost:
            return
        self._next = self._handshakes.connect()
        transport.set_protocol(self._next)
        self._next.connection_made(transport)
        if self._early:
            self._next.data_received(bytes(self._early))

    def data_received(self, data: bytes) -> None:
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._next is not None:
            self._next.connection_lost(exc)
