"""Clients that send too much, too slowly, for ever, or no HTTP at all, while others are served."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import httpx
import pytest

from node.web.api.serving import Connection
from node.web.slow_clients import HEAD_BYTES_MAX
from tests.node.observer.test_pasts import Staged
from tests.node.web.api.served import observed, serving
from tests.projections.story import log_of, story


class Hurried(Connection):
    """The same rules, in a hurry."""

    request_s = 0.5
    stall_s = 0.5


class Crowded(Connection):
    """The same rules, for few."""

    connections_max = 3


class Raw:
    """A connection on which anything is sent."""

    def __init__(self, url: str) -> None:
        self.url = httpx.URL(url)

    async def __aenter__(self) -> Self:
        assert self.url.port is not None
        self.reader, self.writer = await asyncio.open_connection(self.url.host, self.url.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        """Return the status and body of what comes until the end, 0 for nothing."""
        try:
            async with asyncio.timeout(20):
                text = await self.reader.read()
        except ConnectionResetError:
            text = b""
        head, _, body = text.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]) if head else 0, body


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """Serve the API of a log, in a hurry."""
    async with (
        observed(log_of(story(3)), tmp_path) as api,
        serving(api, connection=Hurried) as url,
    ):
        yield url


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /api/v1/jobs?q=" + b"x" * 600_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 600_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET \xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["tls", "short", "no host", "query", "header", "length", "hosts", "bytes"],
)
async def test_what_is_no_http_is_refused(
    url: str, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It gets a problem, if anything, and the connection is closed; nobody else notices, and
    nobody fills a log in this way.
    """
    async with Raw(url) as raw, httpx.AsyncClient(base_url=url) as other:
        raw.send(request_)
        status, body = await raw.answer()
        # Who still sends when the connection is closed may be reset before it reads why.
        assert status == 400 or (status == 0 and len(request_) > HEAD_BYTES_MAX)
        assert not body or json.loads(body)["hint"]
        assert (await other.get("/api/v1/jobs")).status_code == 200
    assert not caplog.records


async def test_a_body_that_trickles_in_is_cut_off(url: str) -> None:
    """Who does not send a whole request in time loses the connection, and others are served."""
    head = b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    async with Raw(url) as raw, httpx.AsyncClient(base_url=url) as other:
        raw.send(head + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
        assert (await other.get("/api/v1/jobs")).status_code == 200
        assert (await raw.answer())[0] == 0


@pytest.mark.parametrize("method", ["GET /api/v1/jobs", "POST /api/v1/jobs"])
async def test_a_body_without_end_is_cut_off(url: str, method: str) -> None:
    """Whatever is sent behind a request is not kept, and the connection ends."""
    head = f"{method} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n".encode()
    async with Raw(url) as raw, httpx.AsyncClient(base_url=url) as other:
        raw.send(head + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        answer = asyncio.ensure_future(raw.answer())
        sent_bytes = 0
        try:
            async with asyncio.timeout(20):
                while not answer.done():
                    raw.send(b"10000\r\n" + bytes(65_536) + b"\r\n")
                    await raw.writer.drain()
                    sent_bytes += 65_536
        except ConnectionError:
            pass
        assert (await other.get("/api/v1/jobs")).status_code == 200
        status, _ = await answer
        assert status in {0, 200, 413}


async def test_many_requests_on_one_connection_are_answered_in_order(url: str) -> None:
    """Who sends the next request before the answer to the last waits for it."""
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with Raw(url) as raw:
        raw.send(one * 200 + last)
        async with asyncio.timeout(20):
            text = await raw.reader.read()
    assert text.count(b'{"status":"ok"}') == 201


async def test_who_goes_in_the_middle_leaves_nothing(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients that hang up while they are answered are no error, and others are served."""
    caplog.set_level(logging.WARNING)
    asked = b"GET /api/v1/log?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(50):
        async with Raw(url) as raw:
            raw.send(asked)
            await raw.reader.read(10)
            raw.writer.transport.abort()
    async with httpx.AsyncClient(base_url=url) as other:
        assert (await other.get("/api/v1/jobs")).status_code == 200
    assert not caplog.records


async def test_who_asks_for_the_past_and_leaves(tmp_path: Path) -> None:
    """A past is folded no further when the client that asked for it is gone."""
    log = Staged()
    asked = b"GET /api/v1/jobs?as_of=50 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with observed(log, tmp_path) as api, serving(api) as url:
        log.held[0] = asyncio.Event()
        log.reading.clear()
        async with Raw(url) as raw, asyncio.timeout(20):
            raw.send(asked)
            await log.reading.wait()
            raw.writer.transport.abort()
            await log.given_up.wait()
        del log.held[0]
        async with httpx.AsyncClient(base_url=url) as other:
            assert (await other.get("/api/v1/jobs?as_of=50")).json()["position"] == 50


async def test_who_goes_before_its_body_has_come_leaves_nothing(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that hangs up while it sends is no error of this server."""
    caplog.set_level(logging.WARNING)
    head = b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    typed = b"Content-Type: application/json\r\nContent-Length: 100\r\n"
    async with Raw(url) as raw:
        raw.send(head + typed + b"Expect: 100-continue\r\n\r\n{")
        await raw.reader.readuntil(b"100 Continue")
    async with httpx.AsyncClient(base_url=url) as other:
        assert (await other.get("/api/v1/jobs")).status_code == 200
    assert not caplog.records


async def test_what_is_no_http_behind_the_beginning_of_an_answer(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that goes wrong while it is answered ends the connection, without an error here."""
    caplog.set_level(logging.ERROR)
    head = b"GET /api/v1/changes HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with Raw(url) as raw:
        raw.send(head)
        await raw.reader.readuntil(b"event: change")
        raw.send(b"no chunk\r\n")
        assert b"HTTP/1.1" not in await raw.reader.read()
    assert not caplog.records


async def test_one_of_too_many_is_told_to_come_again(tmp_path: Path) -> None:
    """Above the limit of connections the answer is a problem like any other, and the last."""
    async with (
        observed(log_of(story(3)), tmp_path) as api,
        serving(api, connection=Crowded) as url,
        AsyncExitStack() as stack,
    ):
        held = [await stack.enter_async_context(Raw(url)) for _ in range(4)]
        held[-1].send(b"GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, body = await held[-1].answer()
        assert status == 503
        assert json.loads(body)["type"] == "urn:lota:problem:service-unavailable"
        assert "Retry-After" in json.loads(body)["hint"]
        held[0].send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert await held[0].answer() == (200, b'{"status":"ok"}')
