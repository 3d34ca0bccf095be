"""What every publisher does when its service, the way to it or the credential fails it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Self

import pytest
from nats.aio.client import Client

from events.connection import connect
from events.errors import LotaError, PublishError
from events.spec import PUBLISHERS
from publishers.port import Location, SmallResult
from publishers.unixfs import result_cid, tree_cid
from tests.contracts.places import BY_CLIENT, LOCKED, SERVED, Place
from tests.contracts.publishing import KEY, SMALL, SMALL_CID, open_at
from tests.tcp_proxy import HOST, TcpProxy

SOON_S = 20.0
"""When there is nobody, or nobody sensible, a driver says so within this time."""

NONSENSE = (
    b"", b"{}", b"[]", b"null", b"true", b"\x00\xff" * 50, b"<html>Welcome to the hotel!</html>",
    b'{"cid": "bafkqaaa", "Root": {"Cid": {"/": "bafkqaaa"}, "PinErrorMsg": ""}}', b"{" * 100_000,
)  # fmt: skip


served = pytest.mark.parametrize("place", SERVED, indirect=True)
"""For what can go wrong between a driver and its service."""

connecting = pytest.mark.parametrize("place", sorted({*SERVED} - {*BY_CLIENT}), indirect=True)
"""For what can be there instead of a service; the log's own server is known before."""


class Detour:
    """The driver of a place, speaking to it by way of another port of this host."""

    def __init__(self, place: Place, port: int) -> None:
        self._place = place
        self._port = port
        self._client: Client | None = None
        self._back = asyncio.Event()

    async def __aenter__(self) -> Self:
        workplace = self._place.workplace
        if workplace.client is not None:
            url = f"nats://{HOST}:{self._port}"
            self._client = await connect(url, name="detour", on_reconnect=self._back.set)
            workplace = workplace._replace(client=self._client)
        credential = self._place.via(self._port)
        self.publisher = open_at(self._place, credential=credential, workplace=workplace)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.publisher.close()
        if self._client is not None:
            with suppress(OSError):  # what was cut off says so again
                await self._client.close()

    async def publish(self, result: SmallResult, key: str, cid: str) -> Location:
        return await self.publisher.publish(result, key, cid=cid)

    async def mended(self) -> None:
        """Wait until a line that was cut is used again."""
        if self._client is not None:
            async with asyncio.timeout(SOON_S):
                await self._back.wait()


async def failure(attempt: Awaitable[object]) -> PublishError | None:
    """Return why an attempt failed, None when it did not; it comes to an end soon."""
    try:
        async with asyncio.timeout(SOON_S):
            await attempt
    except PublishError as error:
        return error
    return None


async def open_and_close(place: Place, credential: dict[str, str]) -> None:
    """Open the driver and touch nothing."""
    await open_at(place, credential=credential).close()


def keeps_secrets(place: Place, error: LotaError) -> None:
    """Fail when an error shows what stands in a secret field of the credential."""
    for values in (place.credential, place.refused or {}):
        for field, value in values.items():
            if any(word in field for word in ("token", "secret", "key", "jwt")):
                assert value not in str(error), f"the error shows {field}"


async def test_a_field_that_is_missing_is_named(place: Place) -> None:
    """Without a field that it needs a driver does not open, and says which; the rest may go."""
    needed = []
    for field in place.credential:
        rest = {name: value for name, value in place.credential.items() if name != field}
        error = await failure(open_and_close(place, rest))
        if error is not None:
            assert (error.code, error.permanent) == ("credential", True), str(error)
            assert field in str(error)
            keeps_secrets(place, error)
            needed.append(field)
    assert bool(needed) == PUBLISHERS[place.driver]


@pytest.mark.parametrize("place", LOCKED, indirect=True)
async def test_a_credential_that_is_refused_is_told(place: Place) -> None:
    """Whom the service turns away is told so, and not to try again; nothing is published."""
    publisher = open_at(place, credential=place.refused)
    for attempt in (publisher.check(), publisher.publish(SMALL, KEY, cid=SMALL_CID)):
        error = await failure(attempt)
        assert error is not None
        assert error.permanent, str(error)
        keeps_secrets(place, error)
    await publisher.close()
    assert await place.seen_cid(KEY, SMALL_CID) is None


@served
async def test_a_service_that_is_down_is_told_soon(place: Place) -> None:
    """Where nobody listens a driver says so within seconds, and that a repeat may help."""
    async with TcpProxy(place.port or 0) as proxy:
        down = Detour(place, proxy.port)
        async with down:
            await proxy.__aexit__()  # from here on nobody listens
            for attempt in (down.publisher.check(), down.publish(SMALL, KEY, SMALL_CID)):
                error = await failure(attempt)
                assert error is not None
                assert not error.permanent, str(error)
                assert error.hint
                keeps_secrets(place, error)
    assert await place.seen_cid(KEY, SMALL_CID) is None


@served
async def test_a_slow_service_is_waited_for(place: Place) -> None:
    """An answer that takes its time is awaited, and the publication succeeds."""
    async with TcpProxy(place.port or 0) as proxy, Detour(place, proxy.port) as slow:
        proxy.flowing.clear()
        publishing = asyncio.ensure_future(slow.publish(SMALL, KEY, SMALL_CID))
        async with asyncio.timeout(SOON_S):
            await proxy.held.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(publishing), 0.5)
        assert not publishing.done()
        proxy.flowing.set()
        location = await publishing
    assert location.cid == await place.seen_cid(KEY, SMALL_CID)


@served
async def test_a_silent_service_can_be_given_up(place: Place) -> None:
    """Whoever waits no longer gets away at once, and a repeat succeeds."""
    async with TcpProxy(place.port or 0) as proxy, Detour(place, proxy.port) as silent:
        proxy.flowing.clear()
        publishing = asyncio.ensure_future(silent.publish(SMALL, KEY, SMALL_CID))
        async with asyncio.timeout(SOON_S):
            await proxy.held.wait()
            publishing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await publishing
        proxy.cut()
        proxy.flowing.set()
        await silent.mended()
        await silent.publisher.verify(await silent.publish(SMALL, KEY, SMALL_CID))


@served
async def test_a_cut_at_any_message_is_mended_by_a_repeat(place: Place) -> None:
    """When the line is cut at a message the driver succeeds or says that a repeat may help."""
    async with TcpProxy(place.port or 0) as proxy:
        await cut_at_each_message(place, proxy)


@connecting
async def test_a_message_that_ends_in_the_middle_is_no_success(place: Place) -> None:
    """Of a request or an answer only the first half comes, and nobody takes it for the whole."""
    async with TcpProxy(place.port or 0) as proxy:
        proxy.halve = True
        await cut_at_each_message(place, proxy)


@served
async def test_a_large_upload_that_is_cut_is_mended_by_a_repeat(place: Place, folder: Path) -> None:
    """When the line is cut within a long file nothing looks whole, and a repeat completes it."""
    cid = tree_cid(folder).cid
    async with TcpProxy(place.port or 0) as proxy, Detour(place, proxy.port) as cut:
        proxy.break_at(25)
        error = await failure(cut.publisher.publish(folder, KEY, cid=cid))
        assert proxy.broke
        proxy.break_at(None)
        assert error is None or not error.permanent, str(error)
        assert await place.seen_cid(KEY, cid) in ({cid} if error is None else {None, cid})
        await cut.mended()
        await cut.publisher.verify(await cut.publisher.publish(folder, KEY, cid=cid))
    assert await place.seen_cid(KEY, cid) == cid


async def cut_at_each_message(place: Place, proxy: TcpProxy) -> None:
    """Publish once for each message, cut there, and once more; end when there is no more to cut."""
    for step in count():
        result = SmallResult(b"%d" % step, b"", 0)
        cid, key = result_cid(result.stdout, b"", 0).cid, f"job/{step}"
        async with Detour(place, proxy.port) as cut:
            proxy.break_at(step)
            error = await failure(cut.publish(result, key, cid))
            broke = proxy.broke
            proxy.break_at(None)
            if error is not None:
                assert not error.permanent, str(error)
                assert await place.seen_cid(key, cid) in {None, cid}
            else:
                assert await place.seen_cid(key, cid) == cid
            if broke:
                await cut.mended()
            await cut.publisher.verify(await cut.publish(result, key, cid))
        assert await place.seen_cid(key, cid) == cid
        if not broke:
            return


@connecting
async def test_nonsense_is_never_taken_for_success(place: Place) -> None:
    """Where a server answers 200 and something, nothing counts as published."""
    for body in NONSENSE:
        async with answering(body) as port, Detour(place, port) as strange:
            error = await failure(strange.publisher.check())
            error = error or await failure(strange.publish(SMALL, KEY, SMALL_CID))
            assert error is not None, body[:80]
            keeps_secrets(place, error)


@connecting
async def test_what_is_no_http_is_never_taken_for_success(place: Place) -> None:
    """Where something else listens, the driver says that it does not understand, and soon."""
    for said in (b"", b"220 mail.example.org ESMTP\r\n", b"\x16\x03\x01\x02\x00\x01\x00"):
        async with saying(said) as port, Detour(place, port) as strange:
            error = await failure(strange.publisher.check())
            assert error is not None, said
            assert not error.permanent, str(error)


@asynccontextmanager
async def answering(body: bytes) -> AsyncIterator[int]:
    """Give the port of a server that takes any request for a good one, and says the same to all."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    async with saying(head % len(body) + body) as port:
        yield port


@asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[int]:
    """Give the port of a server that reads a little, says the same to everybody and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read(65536)
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
