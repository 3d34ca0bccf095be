"""Bytes that come piece by piece, on a socket of this machine."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from starlette.types import Receive, Scope, Send

from node.web.api.bytes_answer import BytesAnswer
from node.web.server import WebServer


async def test_who_leaves_is_read_for_no_more() -> None:
    """When the client has gone, what its answer comes from is closed."""
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                await asyncio.to_thread(bytes, 1)
                yield bytes(1_000)
        finally:
            closed.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await BytesAnswer(endless(), 200, {}, AsyncExitStack())(scope, receive, send)

    bound = socket.create_server(("127.0.0.1", 0))
    host, port = bound.getsockname()
    async with WebServer(app, bound):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readexactly(5_000)
        writer.transport.abort()
        async with asyncio.timeout(10):
            await closed.wait()
