"""What the drivers of web services make of all that can go wrong with one."""

import asyncio
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest

from events.errors import PublishError
from publishers.http import HttpService, required
from tests.servers.kubo_shapes import KuboShapes

SECRET = "s3cr3t-t0ken"


@pytest.fixture
async def server() -> AsyncIterator[KuboShapes]:
    async with KuboShapes("fine") as opened:
        yield opened


@pytest.fixture
async def service(server: KuboShapes) -> AsyncIterator[HttpService]:
    opened = HttpService("some", server.url, token=SECRET)
    yield opened
    await opened.close()


async def failure(service: HttpService, body: bytes = b"") -> PublishError:
    with pytest.raises(PublishError) as caught:
        await service.call("POST", "/thing", body=body)
    assert SECRET not in str(caught.value)
    return caught.value


async def megabytes(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(1 << 20)


@pytest.mark.parametrize(
    ("shape", "code", "permanent"),
    [
        ("302", "rejected", True),
        ("400", "rejected", True),
        ("401", "refused", True),
        ("403", "refused", True),
        ("404", "rejected", True),
        ("408", "timeout", False),
        ("410", "gone", True),
        ("413", "too-large", True),
        ("429", "busy", False),
        ("500", "unavailable", False),
        ("502", "unavailable", False),
        ("507", "unavailable", False),
        ("cut", "broken-off", False),
        ("endless", "bad-answer", False),
        ("this is no HTTP\r\n\r\n", "broken-off", False),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", "broken-off", False),
    ],
)
async def test_each_failure_has_its_code(
    server: KuboShapes, service: HttpService, shape: str, code: str, permanent: bool
) -> None:
    """A failure says what kind it is, and whether a repeat may help."""
    server.shape = shape
    error = await failure(service)
    assert (error.code, error.permanent) == (code, permanent)
    assert error.hint


async def test_the_words_of_the_service_are_told(server: KuboShapes, service: HttpService) -> None:
    """An error holds what the service said, out of the shape in which it said it."""
    server.shape = "denied"
    assert "Kubo RPC Access Denied" in str(await failure(service))
    server.shape = "400"
    assert "400: no, thank you" in str(await failure(service))


async def test_a_service_that_is_down_is_unreachable() -> None:
    """Where nothing listens the error says so at once, and a repeat may help."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    service = HttpService("some", f"http://127.0.0.1:{port}")
    error = await failure(service)
    assert (error.code, error.permanent) == ("unreachable", False)
    assert f"127.0.0.1:{port}" in str(error)


async def test_silence_is_bounded(server: KuboShapes) -> None:
    """A service that takes a request and says nothing is given up."""
    server.held.clear()
    service = HttpService("some", server.url, token=SECRET, patience_s=0.05)
    assert (await failure(service)).code == "timeout"
    await service.close()


async def test_an_answer_that_drips_is_bounded(server: KuboShapes) -> None:
    """An answer that begins and does not end is given up."""
    server.shape = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"
    server.closes = False
    service = HttpService("some", server.url, token=SECRET, patience_s=0.05)
    assert (await failure(service)).code == "timeout"
    await service.close()


async def test_a_connection_that_ends_within_a_request_is_broken_off(
    server: KuboShapes, service: HttpService
) -> None:
    """A large body that could not be sent is a failure, and may be sent again."""
    server.breaks_at = 1 << 20
    with pytest.raises(PublishError) as caught:
        await service.call("POST", "/thing", body=megabytes(64), size_bytes=64 << 20)
    assert (caught.value.code, caught.value.permanent) == ("broken-off", False)


async def test_a_streamed_body_has_a_length(server: KuboShapes, service: HttpService) -> None:
    """A body from an iterator is not sent chunked, which some services refuse."""
    await service.call("POST", "/thing", body=megabytes(2), size_bytes=2 << 20)
    (request,) = server.seen
    assert request.headers["content-length"] == str(2 << 20)
    assert "transfer-encoding" not in request.headers
    assert len(request.body) == 2 << 20


async def test_what_the_body_raises_is_raised(service: HttpService) -> None:
    """A result that changed while it was sent is not taken for a fault of the service."""

    async def changing() -> AsyncIterator[bytes]:
        yield b"x"
        raise PublishError("wrong-cid", "it changed", permanent=True)

    with pytest.raises(PublishError, match="it changed"):
        await service.call("POST", "/thing", body=changing(), size_bytes=2)


async def test_redirects_are_not_followed(server: KuboShapes, service: HttpService) -> None:
    """A token goes to the address in the credential and to no other."""
    server.shape = "redirect"
    assert (await failure(service)).code == "rejected"
    assert len(server.seen) == 1


async def test_the_token_is_sent_and_never_shown(server: KuboShapes, service: HttpService) -> None:
    """A service that repeats our token in its error does not get it into ours."""
    server.shape = "echoes-token"
    error = await failure(service)
    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"
    assert "[token]" in str(error)


async def test_json_of_another_shape_is_a_bad_answer(
    server: KuboShapes, service: HttpService
) -> None:
    """A page where JSON was to be is a failure, and shows how the page begins."""
    server.shape = "garbage"
    answer = await service.call("GET", "/")
    with pytest.raises(PublishError, match="DOCTYPE") as caught:
        service.decode(answer, dict[str, msgspec.Raw])
    assert caught.value.code == "bad-answer"


async def test_two_first_calls_share_one_client(server: KuboShapes, service: HttpService) -> None:
    """Requests that begin together open one set of connections, which one close ends."""
    await asyncio.gather(*(service.call("GET", f"/{number}") for number in range(20)))
    assert len(server.seen) == 20
    await service.close()
    await service.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:5001",
        "ftp://host",
        "http://",
        f"https://ann:{SECRET}@host",
        f"https://host/?key={SECRET}",
        f"https://host/#{SECRET}",
        "http://host:port",
    ],
)
def test_an_address_that_cannot_be_used_is_not_shown(url: str) -> None:
    """An address is refused without being told, since it may hold a password."""
    with pytest.raises(PublishError, match="address") as caught:
        HttpService("some", url)
    assert caught.value.permanent
    assert SECRET not in str(caught.value)


async def test_a_key_in_the_path_is_not_shown(server: KuboShapes) -> None:
    """Where a service's address holds a key, errors name no more than the host."""
    service = HttpService("some", f"{server.url}/{SECRET}/v1")
    server.shape = "500"
    assert server.url in str(await failure(service))
    assert server.seen[0].target == f"/{SECRET}/v1/thing"
    await service.close()


@pytest.mark.parametrize("token", ["", f"{SECRET}\n", f"{SECRET}\r\nX: y", f"{SECRET}ü"])
def test_a_token_that_no_header_can_hold_is_not_shown(token: str) -> None:
    """A token with a line's end is refused here, where nobody prints it."""
    with pytest.raises(PublishError, match="token") as caught:
        HttpService("some", "http://host", token=token)
    assert SECRET not in str(caught.value)


def test_a_missing_field_is_named() -> None:
    """A credential that lacks a field says which, and how a node is given it."""
    with pytest.raises(PublishError, match="'url'") as caught:
        required("some", {"url": "", "token": SECRET}, "url")
    assert (caught.value.code, caught.value.permanent) == ("credential", True)
    assert "_URL" in caught.value.hint
