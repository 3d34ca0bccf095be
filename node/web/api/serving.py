"""Serving the API and its pages as one: from the bound socket to the last answer."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from http import HTTPStatus
from typing import Self

import h11
from starlette.routing import BaseRoute

from node.web.access import Access
from node.web.api.app import api_app
from node.web.api.changes import follow_changes
from node.web.api.events import follow
from node.web.api.hub import CLIENTS_MAX
from node.web.api.shared import Api
from node.web.problems import problem
from node.web.server import COME_AGAIN, GRACE_S, WebServer
from node.web.slow_clients import BoundedConnection

CROWDED = problem(
    "",
    503,
    "too many are connected",
    hint="come again after as many seconds as the header Retry-After says",
    headers=COME_AGAIN,
)


class Connection(BoundedConnection):
    """One client's connection; those who follow leave room for those who ask.

    What a client does not take waits here, where it is counted, and not in megabytes of the
    kernel's memory for each.
    """

    connections_max = CLIENTS_MAX + 500
    unsent_bytes_max = 128 * 1024

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, with little room in the kernel."""
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            bound = transport.get_extra_info("socket")
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, self.unsent_bytes_max)
        super().connection_made(transport)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or has too long a head, as all else that is refused.

        Where an answer has begun already, the connection ends.
        """
        if self.conn.our_state is not h11.IDLE and self.conn.our_state is not h11.SEND_RESPONSE:
            self.transport.abort()
            return
        answer = problem(
            "", 400, "the request is no HTTP, or its head is too long", hint="mend or shorten it"
        )
        headers = [*answer.raw_headers, (b"connection", b"close")]
        reason = HTTPStatus(400).phrase.encode()
        for event in (
            h11.Response(status_code=400, headers=headers, reason=reason),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class ServedApi:
    """`async with` serves the API, and `more` routes beside it, on a socket that it then owns.

    Streams end by themselves before the server stops, so that it need not cut them off.
    """

    def __init__(
        self,
        api: Api,
        access: Access,
        bound: socket.socket,
        *,
        more: Sequence[BaseRoute] = (),
        tls: ssl.SSLContext | None = None,
        connection: type[BoundedConnection] = Connection,
    ) -> None:
        self._api = api
        app = api_app(api, access, more)
        self._server = WebServer(app, bound, crowded=CROWDED, connection=connection, tls=tls)
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        api = self._api
        api.events.begin(await api.observer.log.last())
        api.changes.begin(api.observer.position)
        await self._stack.enter_async_context(self._server)
        work = (
            follow(api.observer.log, api.events),
            follow_changes(api.observer, api.changes),
            api.events.ping(),
            api.changes.ping(),
            self._server.ended(),
        )
        self._tasks = [asyncio.ensure_future(each) for each in work]
        return self

    async def __aexit__(self, *_: object) -> None:
        hubs = (self._api.events, self._api.changes)
        for hub in hubs:
            hub.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                for hub in hubs:
                    await hub.at_most(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._stack.aclose()

    async def ended(self) -> None:
        """Wait until a part of it ends by itself; raises what made it."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
