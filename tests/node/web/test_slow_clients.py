"""Clients that hold a connection and do nothing with it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from node.web.server import WebServer
from node.web.slow_clients import BoundedConnection

HOST = "127.0.0.1"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PIECE = bytes(256 * 1024)


class Impatient(BoundedConnection):
    """The same rules, in a hurry."""

    request_s = 0.2
    stall_s = 0.2


class Patient(BoundedConnection):
    """The same rules, in less of a hurry."""

    stall_s = 1.0


class Crowded(BoundedConnection):
    """The same rules, for few."""

    connections_max = 4


class EndlessAnswer:
    """An application that sends until it is stopped."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            # To who is gone sending returns at once, and the word of that must still come in.
            await asyncio.wait({gone}, timeout=0)
        self.stopped.set()


@asynccontextmanager
async def served(
    app: EndlessAnswer, connection: type[BoundedConnection] = Impatient
) -> AsyncIterator[int]:
    bound = socket.create_server((HOST, 0))
    bound.setblocking(False)
    port = bound.getsockname()[1]
    async with WebServer(app, bound, connection=connection):
        yield port


@pytest.fixture
def app() -> EndlessAnswer:
    return EndlessAnswer()


@pytest.mark.parametrize(
    "beginning",
    [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20_000],
)
async def test_a_request_that_never_ends_is_cut_off(app: EndlessAnswer, beginning: bytes) -> None:
    """Who does not send a whole, small head in time loses the connection."""
    async with served(app) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(beginning)
        answer = b""
        try:
            async with asyncio.timeout(10):
                answer = await reader.read()
        except ConnectionResetError:
            pass
        writer.close()
    assert b"200" not in answer


async def test_a_client_that_does_not_read_is_cut_off(app: EndlessAnswer) -> None:
    """An answer that nobody takes ends, and with it what was making it."""
    async with served(app) as port:
        client = socket.create_connection((HOST, port))
        client.send(REQUEST)
        async with asyncio.timeout(10):
            await app.stopped.wait()
        client.close()


async def test_a_client_that_reads_is_served_on(app: EndlessAnswer) -> None:
    """Whoever keeps up is not cut off, however long the answer takes."""
    async with served(app, Patient) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(REQUEST)
        ends = asyncio.get_running_loop().time() + 1.5 * Patient.stall_s
        while asyncio.get_running_loop().time() < ends:
            assert await reader.read(1 << 20)
        writer.close()


async def test_too_many_connections_are_refused(app: EndlessAnswer) -> None:
    """Above the limit a client is told to come again, and far above it is cut off unheard."""
    async with served(app, Crowded) as port, AsyncExitStack() as stack:

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection(HOST, port)
            stack.callback(writer.close)
            return reader, writer

        held = [await connect() for _ in range(2 * Crowded.connections_max)]
        reader, writer = held[-1]
        writer.write(REQUEST)
        answer = await reader.read()
        assert b"503" in answer.splitlines()[0]
        assert b"retry-after: 5\r\n" in answer
        held = [await connect() for _ in range(2)]
        assert await held[-1][0].read() == b""


async def test_the_server_stops_although_a_client_holds_on(app: EndlessAnswer) -> None:
    """An answer under way is cut off after a moment of grace."""
    async with asyncio.timeout(10):
        async with served(app) as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(REQUEST)
            assert b"200" in await reader.readline()
        writer.close()
