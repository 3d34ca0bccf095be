"""Connecting to a server."""

import socket
from pathlib import Path

import pytest

from events.connection import connect
from events.errors import LogUnavailable
from node.server import EmbeddedServer


def unused_url() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"nats://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize("servers", [1, 3])
async def test_nobody_there_fails_at_once(servers: int) -> None:
    """When no server answers, the first connection fails without retries and says where."""
    url = ",".join(unused_url() for _ in range(servers))
    with pytest.raises(LogUnavailable) as unavailable:
        await connect(url, name="t")
    assert url in str(unavailable.value)
    assert unavailable.value.hint


async def test_one_server_of_several_is_enough(nats_url: str) -> None:
    """A server that does not answer does not matter while another does."""
    client = await connect(f"{unused_url()},{nats_url}", name="t")
    assert client.is_connected
    await client.close()


async def test_refused_credentials_fail_at_once(tmp_path: Path) -> None:
    """A wrong password is reported as such, without the password, and the right one admits."""
    config = tmp_path / "auth.conf"
    config.write_text('authorization { user: "u", password: "right" }\n')
    async with EmbeddedServer(tmp_path / "store", config=config) as server:
        with pytest.raises(LogUnavailable, match="refused the credentials") as refused:
            await connect(server.url.replace("//", "//u:secret@"), name="t")
        assert "secret" not in str(refused.value)
        client = await connect(server.url, name="t", user="u", password="right")
        await client.close()


async def test_a_malformed_address_is_unavailable() -> None:
    """An address that is none is an error of ours, not of the client library."""
    with pytest.raises(LogUnavailable):
        await connect("nats://host:port", name="t")


async def test_inboxes_carry_the_name(nats_url: str) -> None:
    """Replies come to inboxes that a server can hold the node to."""
    client = await connect(nats_url, name="node 1")
    assert client.new_inbox().startswith("_INBOX_node-1.")
    await client.close()
