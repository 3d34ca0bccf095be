"""Serving with a certificate, and files that are none."""

import asyncio
import shutil
import ssl
import subprocess
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpx
import pytest

from events.errors import WrongUsage
from node.web.access import Access
from node.web.api.serving import Connection
from node.web.handshakes import HANDSHAKES_MAX
from node.web.listening import listen_for_pages
from node.web.tls import tls_context
from tests.node.web.api.served import observed, serving
from tests.projections.story import log_of, story


class Hurried(Connection):
    """The same rules, in a hurry."""

    request_s = 0.5


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a certificate for this machine, its key, and another key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    another = "openssl genrsa -out other.pem 2048"
    for command in ([*make.split(), *names], another.split()):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


async def test_the_api_is_served_over_tls(files: Path, tmp_path: Path) -> None:
    """A client that trusts the certificate is answered, one that speaks no TLS is not."""
    tls = tls_context(files / "cert.pem", files / "key.pem")
    trusted = ssl.create_default_context(cafile=str(files / "cert.pem"))
    async with (
        observed(log_of(story(3)), tmp_path) as api,
        serving(api, Access(tls=True), tls=tls) as url,
        httpx.AsyncClient(verify=trusted) as client,
    ):
        answer = await client.get(f"{url}/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        whole = await client.get(f"{url}/api/v1/log?limit=1000")
        assert len(whole.json()["events"]) == len(story(3))
        with pytest.raises(httpx.TransportError):
            await client.get(f"{url.replace('https', 'http')}/healthz")


async def test_who_begins_no_tls_is_cut_off(
    files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who connects and says nothing, or leaves when it is greeted, holds and breaks nothing."""
    tls = tls_context(files / "cert.pem", files / "key.pem")
    trusted = ssl.create_default_context(cafile=str(files / "cert.pem"))
    async with (
        observed(log_of(story(3)), tmp_path) as api,
        serving(api, Access(tls=True), connection=Hurried, tls=tls) as url,
    ):
        address = httpx.URL(url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
        for _ in range(10):
            _, writer = await asyncio.open_connection(address.host, address.port, ssl=trusted)
            writer.transport.abort()
    assert not caplog.records


async def test_many_who_begin_no_tls_give_way(
    files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However many connect and say nothing, others are served; the oldest of them are cut off, and
    none of them holds up the end of the server.
    """
    tls = tls_context(files / "cert.pem", files / "key.pem")
    trusted = ssl.create_default_context(cafile=str(files / "cert.pem"))
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(observed(log_of(story(3)), tmp_path))
        async with serving(api, Access(tls=True), tls=tls) as url:
            address = httpx.URL(url)
            silent = []
            for _ in range(2 * HANDSHAKES_MAX):
                silent.append(await asyncio.open_connection(address.host, address.port))
                stack.callback(silent[-1][1].close)
            async with httpx.AsyncClient(verify=trusted) as client:
                assert (await client.get(f"{url}/healthz")).status_code == 200
            for reader, _ in silent[:HANDSHAKES_MAX]:
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
            assert not silent[-1][0].at_eof()
    assert not caplog.records


async def test_what_is_said_at_once_is_heard(files: Path, tmp_path: Path) -> None:
    """A request that comes with the end of the handshake is answered."""
    tls = tls_context(files / "cert.pem", files / "key.pem")
    trusted = ssl.create_default_context(cafile=str(files / "cert.pem"))
    asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with (
        observed(log_of(story(3)), tmp_path) as api,
        serving(api, Access(tls=True), tls=tls) as url,
    ):
        address = httpx.URL(url)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusted.wrap_bio(incoming, outgoing, server_hostname=address.host)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        writer.write(outgoing.read())
        while True:
            incoming.write(await reader.read(1 << 16))
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
        client.write(asked)
        writer.write(outgoing.read())  # the end of the handshake and the request, in one piece
        incoming.write(await reader.read())
        assert client.read(1 << 16).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        ("cert.pem", "other.pem"),
        ("cert.pem", None),
        ("key.pem", "key.pem"),
        ("gone.pem", "key.pem"),
        ("cert.pem", "gone.pem"),
        (None, "key.pem"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    files: Path, certificate: str | None, key: str | None
) -> None:
    """The error names the options, and shows nothing of the key."""
    with pytest.raises(WrongUsage, match="--tls-cert") as caught:
        tls_context(files / certificate if certificate else None, files / key if key else None)
    assert "PRIVATE" not in str(caught.value)


def test_without_files_there_is_no_tls() -> None:
    """Nobody has to have a certificate."""
    assert tls_context(None, None) is None


def test_pages_for_others_need_a_token() -> None:
    """An address that others reach is refused without a token, before anybody can connect."""
    with pytest.raises(WrongUsage, match="no token"):
        listen_for_pages("0.0.0.0:0", scheme="http", open_to_all=True)
    listener = listen_for_pages("0.0.0.0:0", scheme="https", open_to_all=False)
    listener.bound.close()
    assert listener.url.startswith("https://")
    listener = listen_for_pages("[::1]:0", scheme="http", open_to_all=True)
    port = listener.bound.getsockname()[1]
    listener.bound.close()
    assert listener.url == f"http://[::1]:{port}"
