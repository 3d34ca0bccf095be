"""Large answers to clients that take their time, or nothing at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from node.web.access import Access
from node.web.api.app import api_app
from node.web.api.endpoint import Endpoint
from node.web.api.serving import Connection
from node.web.listening import bind
from node.web.server import WebServer
from tests.node.web.api.served import OFTEN
from tests.node.web.api.test_bad_clients import Raw

SIZE_BYTES = 4 * 1024 * 1024
ROOM = 3


class Patient(Connection):
    """The same rules, in no hurry: who does not read is not cut off while a test looks."""

    stall_s = 60.0


async def get_large(_: Any) -> dict[str, str]:
    """Give much."""
    return {"text": "x" * SIZE_BYTES}


async def get_small(_: Any) -> dict[str, str]:
    """Give little."""
    return {"text": "x"}


ENDPOINTS = (
    Endpoint("GET", "/large", get_large, dict[str, str]),
    Endpoint("GET", "/small", get_small, dict[str, str]),
)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Serve both, with room for some large answers that are not taken."""
    app = api_app(
        None,
        Access(rate=OFTEN),
        endpoints=ENDPOINTS,
        unsent_bytes_max=ROOM * (SIZE_BYTES + 100),
    )
    bound = bind("127.0.0.1:0", "--listen")
    host, port = bound.getsockname()
    async with WebServer(app, bound, connection=Patient):
        yield f"http://{host}:{port}"


async def begun(raw: Raw) -> None:
    """Ask for much and read how the answer begins."""
    raw.send(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b" 200 " in await raw.reader.readline()


async def test_who_reads_slowly_gets_all_of_it(url: str) -> None:
    """An answer that is sent in pieces is whole in the end, as its length says."""
    async with Raw(url) as raw:
        raw.send(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head = await raw.reader.readuntil(b"\r\n\r\n")
        body = await raw.reader.read()
    assert f"content-length: {len(body)}\r\n".encode() in head
    assert body == b'{"text":"%s"}' % (b"x" * SIZE_BYTES)


async def test_what_lies_unsent_is_bounded(url: str) -> None:
    """While some do not take what they asked for, no more is kept for others than there is room
    for: these are told to come again, ask for less, and are served as soon as there is room.
    """
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(60):
        async with AsyncExitStack() as stack:
            for _ in range(ROOM):
                await begun(await stack.enter_async_context(Raw(url)))
            refused = await client.get("/large")
            small = await client.get("/small")
        while (answer := await client.get("/large")).status_code == 503:
            pass
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert "Retry-After" in refused.json()["hint"]
    assert (small.status_code, answer.status_code) == (200, 200)
    assert len(answer.content) > SIZE_BYTES


async def test_one_answer_may_be_as_large_as_it_is() -> None:
    """What is larger than there is room for is sent as long as nothing else waits."""
    app = api_app(None, Access(rate=OFTEN), endpoints=ENDPOINTS, unsent_bytes_max=1)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert len((await client.get("/large")).content) > SIZE_BYTES
