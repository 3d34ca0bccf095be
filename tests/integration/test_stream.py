"""Who creates the log's stream, and what it must be like."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from events.connection import connect
from events.errors import LogUnavailable, StreamMismatch
from events.jetstream import open_blobs, open_log
from node.server import EmbeddedServer


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """Return a connection to an empty server."""
    async with EmbeddedServer(tmp_path) as server:
        connected = await connect(server.url, name="stream")
        yield connected
        await connected.close()


async def created(client: Client, config: dict[str, Any]) -> dict[str, Any]:
    """Create or change the stream as somebody else might."""
    request = msgspec.json.encode({"name": "LOTA", "subjects": ["lota.ev.>"], **config})
    answer = await client.request("$JS.API.STREAM.CREATE.LOTA", request, timeout=5)
    decoded: dict[str, Any] = msgspec.json.decode(answer.data)
    assert "error" not in decoded, decoded
    return decoded


async def test_the_first_creates_and_the_next_attach(client: Client) -> None:
    """Whoever comes first creates the stream, also when several come at once."""
    logs = await asyncio.gather(*[open_log(client) for _ in range(5)])
    assert await logs[0].append("lota.ev.00.j.g.cli.a.b", b"{}", id="x") == 1
    assert await logs[4].last() == 1
    for log in logs:
        await log.close()


async def test_history_cannot_be_removed(client: Client) -> None:
    """The stream that is created refuses deletes and purges, and keeps everything in files."""
    await (await open_log(client)).close()
    config = (await client.jetstream().stream_info("LOTA")).config
    assert config.deny_delete
    assert config.deny_purge
    assert config.storage == "file"
    assert config.max_consumers == 10_000


async def test_another_configuration_is_named(client: Client) -> None:
    """A stream that differs is refused, with each field that differs."""
    await created(client, {"storage": "memory", "max_age": 3600 * 10**9, "allow_msg_ttl": True})
    with pytest.raises(StreamMismatch) as mismatch:
        await open_log(client)
    for field in ("storage", "max_age", "deny_delete", "deny_purge", "allow_msg_ttl"):
        assert f"{field} is " in mismatch.value.what
    assert "duplicate_window" not in mismatch.value.what


async def test_less_durable_than_asked_is_a_mismatch(client: Client) -> None:
    """A stream of one replica is not what someone wants who asks for three."""
    await (await open_log(client)).close()
    with pytest.raises(StreamMismatch, match="num_replicas"):
        await open_log(client, replicas=3)


async def test_republish_reaches_those_who_only_watch(client: Client) -> None:
    """With republish, each stored event also goes out on lota.live."""
    watch = await client.subscribe("lota.live.>")
    log = await open_log(client, republish=True)
    await log.append("lota.ev.00.j.g.cli.a.b", b"seen", id="x")
    assert (await watch.next_msg()).data == b"seen"
    await log.close()
    await (await open_log(client)).close()


async def test_without_jetstream_there_is_no_log(tmp_path: Path) -> None:
    """A server without JetStream is LogUnavailable, for the log and the blobs."""
    config = tmp_path / "plain.conf"
    config.write_text("max_payload: 1MB\n")
    async with EmbeddedServer(tmp_path / "store", config=config) as server:
        client = await connect(server.url, name="stream")
        with pytest.raises(LogUnavailable):
            await open_log(client)
        with pytest.raises(LogUnavailable):
            await open_blobs(client)
        await client.close()
