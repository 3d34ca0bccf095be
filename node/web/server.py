"""uvicorn inside the node's own event loop: without its signals, its logging and its exits."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import socket
from typing import Self

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from node.web.handshakes import HANDSHAKES_MAX, Handshakes
from node.web.listening import BACKLOG
from node.web.open_files import room
from node.web.slow_clients import HEAD_BYTES_MAX, KEEP_ALIVE_S, BoundedConnection

COME_AGAIN = {"retry-after": "5", "connection": "close"}
CROWDED = Response(status_code=503, headers=COME_AGAIN)

GRACE_S = 1
"""How long answers under way may take when the node stops."""


class WebServer:
    """Serves an application on a bound socket, which it then owns, while it is entered.

    With `tls` it speaks HTTPS. `crowded` answers while there are too many connections.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: socket,
        *,
        crowded: ASGIApp = CROWDED,
        connection: type[BoundedConnection] = BoundedConnection,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        shaking = HANDSHAKES_MAX if tls is not None else 0
        self._served_max = room(connection.connections_max, shaking)
        self._app = app
        self._crowded = crowded
        self._server = _Server(
            uvicorn.Config(
                self._answer,
                interface="asgi3",
                http=connection,
                ws="none",
                lifespan="off",
                log_config=None,
                # Its warnings are about what clients do wrong, which they may do without end.
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
                h11_max_incomplete_event_size=HEAD_BYTES_MAX,
                ssl_context_factory=(lambda *_: tls) if tls is not None else None,
            ),
            connection,
            self._served_max,
        )
        self._bound = bound
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._bound]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait((self._serving, ready), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            self._bound.close()
            self._serving.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._serving is not None
        self._server.should_exit = True
        with suppress(asyncio.CancelledError):
            await asyncio.wait((self._serving,))
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        too_many = len(self._server.server_state.connections) > self._served_max
        await (self._crowded if too_many else self._app)(scope, receive, send)

    async def ended(self) -> None:
        """Wait until the server ends; raises what made it."""
        assert self._serving is not None
        await asyncio.shield(self._serving)


class _Server(uvicorn.Server):
    """A server that says when it is ready and leaves signals to the node."""

    def __init__(
        self, config: uvicorn.Config, connection: type[BoundedConnection], served_max: int
    ) -> None:
        super().__init__(config)
        self._connection = connection
        self._served_max = served_max
        self._handshakes: Handshakes | None = None
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen. Beyond what uvicorn does, handshakes are bounded as requests are."""
        tls, begin = self.config.ssl, self._connect
        if tls is not None:
            self._handshakes = Handshakes(tls, begin, self._connection.request_s)
            begin = self._handshakes.begin
        loop, backlog = asyncio.get_running_loop(), self.config.backlog
        self.servers = [
            await loop.create_server(begin, sock=each, backlog=backlog) for each in sockets or ()
        ]
        self.started = True
        self.ready.set()

    def _connect(self) -> asyncio.Protocol:
        made = self._connection(config=self.config, server_state=self.server_state, app_state={})
        made.cut_off_above = 2 * self._served_max
        return made

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop; who has not shaken hands has nothing to wait for."""
        if self._handshakes is not None:
            self._handshakes.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
