"""What every blob store promises, held against each implementation."""

import os
from collections.abc import AsyncIterator

import pytest

from events.blobs import Blobs
from events.cid import raw_cid
from events.connection import connect
from events.errors import ContentError, NotFound
from events.jetstream import open_blobs
from events.memory import MemoryBlobs


@pytest.fixture(params=["memory", "jetstream"])
async def blobs(request: pytest.FixtureRequest, nats_url: str) -> AsyncIterator[Blobs]:
    """Return each implementation in turn."""
    if request.param == "memory":
        yield MemoryBlobs()
        return
    client = await connect(nats_url, name="contract")
    yield await open_blobs(client)
    await client.close()


@pytest.mark.parametrize("size_bytes", [0, 1, 128 * 1024, 3_000_000])
async def test_gives_back_what_was_put(blobs: Blobs, size_bytes: int) -> None:
    """Bytes of any size come back under the CID that put returned."""
    data = os.urandom(size_bytes)
    key = await blobs.put(data)
    assert key == raw_cid(data)
    assert await blobs.get(key) == data


async def test_a_repeat_is_harmless(blobs: Blobs) -> None:
    """Putting the same bytes again gives the same key and leaves them readable."""
    data = os.urandom(200_000)
    assert await blobs.put(data) == await blobs.put(data)
    assert await blobs.get(raw_cid(data)) == data


async def test_a_missing_blob_is_not_found(blobs: Blobs) -> None:
    """A key that nothing was put under is NotFound."""
    with pytest.raises(NotFound):
        await blobs.get(raw_cid(os.urandom(16)))


async def test_damage_is_noticed(nats_url: str) -> None:
    """Stored bytes that do not match their name are an error, and are never returned."""
    client = await connect(nats_url, name="contract")
    blobs = await open_blobs(client)
    key = raw_cid(os.urandom(16))
    await (await client.jetstream().object_store("lota-blobs")).put(key, b"something else")
    with pytest.raises(ContentError):
        await blobs.get(key)
    await client.close()


async def test_a_known_blob_is_not_sent_again(nats_url: str) -> None:
    """Putting what is there already costs no transfer."""
    client = await connect(nats_url, name="contract")
    blobs = await open_blobs(client)
    data = os.urandom(1_000_000)
    await blobs.put(data)
    before = client.stats["out_bytes"]
    await blobs.put(data)
    assert client.stats["out_bytes"] - before < 1_000
    await client.close()
