"""uvicorn inside the node's own event loop: without its signals, its logging and its exits."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import socket
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from node.web.listening import BACKLOG
from node.web.open_files import room
from node.web.slow_clients import HEAD_BYTES_MAX, KEEP_ALIVE_S, BoundedConnection

GRACE_S = 1
"""How long answers under way may take when the node stops."""


class WebServer:
    """Serves an application on a bound socket, which it then owns, while it is entered.

    With `tls` it speaks HTTPS.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: socket,
        *,
        connection: type[BoundedConnection] = BoundedConnection,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = _Server(
            uvicorn.Config(
                app,
                http=connection,
                ws="none",
                lifespan="off",
                log_config=None,
                # Its warnings are about what clients do wrong, which they may do without end.
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=room(connection.connections_max),
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
                h11_max_incomplete_event_size=HEAD_BYTES_MAX,
                ssl_context_factory=(lambda *_: tls) if tls is not None else None,
            ),
            connection,
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

    async def ended(self) -> None:
        """Wait until the server ends; raises what made it."""
        assert self._serving is not None
        await asyncio.shield(self._serving)


class _Server(uvicorn.Server):
    """A server that says when it is ready and leaves signals to the node."""

    def __init__(self, config: uvicorn.Config, connection: type[BoundedConnection]) -> None:
        super().__init__(config)
        self._connection = connection
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen. Beyond what uvicorn does, a handshake takes no longer than a request may."""
        config, loop = self.config, asyncio.get_running_loop()
        connection = self._connection

        def connect() -> asyncio.Protocol:
            return connection(config=config, server_state=self.server_state, app_state={})

        self.servers = [
            await loop.create_server(
                connect,
                sock=each,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=connection.request_s if config.ssl else None,
            )
            for each in sockets or ()
        ]
        self.started = True
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
