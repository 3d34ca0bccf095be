"""Blobs go from the server when they are archived, and never while somebody may name them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from events.archive.lines import BaseRef
from events.cid import raw_cid
from events.connection import connect
from events.errors import NotFound
from events.jetstream import JetStreamBlobs, open_blobs, open_log, remove_blobs
from events.log import Base
from events.memory import MemoryLog
from node.archiving import check_archive, still_named, write_archive
from node.server import EmbeddedServer
from tests.projections.story import extend, story

BLOB = b"a listing of many files" * 1_000


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with EmbeddedServer(tmp_path / "server") as server:
        client = await connect(server.url, name="test")
        yield client
        await client.close()


@pytest.fixture
async def blobs(client: Client) -> JetStreamBlobs:
    return await open_blobs(client)


async def nothing(_: set[str]) -> set[str]:
    """Name nothing."""
    return set()


async def test_what_nothing_names_is_removed(client: Client, blobs: JetStreamBlobs) -> None:
    """Of the blobs that are asked for, those that nothing names go, and others stay."""
    first, second, third = [await blobs.put(bytes([n]) * 10) for n in range(3)]

    async def named(among: set[str]) -> set[str]:
        assert among == {first, second}
        return {second}

    assert await remove_blobs(client, [first, second], named=named, grace_ms=0) == 1
    with pytest.raises(NotFound):
        await blobs.get(first)
    assert [await blobs.get(key) for key in (second, third)] == [b"\1" * 10, b"\2" * 10]
    assert await remove_blobs(client, [first, second], named=named_none, grace_ms=0) == 1


async def named_none(among: set[str]) -> set[str]:
    assert len(among) == 1  # the one that is gone is not asked for
    return set()


async def test_what_was_put_lately_stays(client: Client, blobs: JetStreamBlobs) -> None:
    """Within a day of its last put a blob stays: an event may name it yet."""
    key = await blobs.put(BLOB)
    assert await remove_blobs(client, [key], named=nothing) == 0
    assert await blobs.get(key) == BLOB


async def test_a_put_meanwhile_saves_it(client: Client, blobs: JetStreamBlobs) -> None:
    """Who finds a blob there while it is about to be removed has it afterwards."""
    key = await blobs.put(BLOB)

    async def named(_: set[str]) -> set[str]:
        assert await blobs.put(BLOB) == key
        return set()

    await remove_blobs(client, [key], named=named, grace_ms=0)
    assert await blobs.get(key) == BLOB


async def test_puts_and_removals_race(client: Client, blobs: JetStreamBlobs) -> None:
    """However they fall together, a blob is whole whenever its last put was behind the removals."""
    for _ in range(30):
        puts = [blobs.put(BLOB) for _ in range(4)]
        key = (await asyncio.gather(*puts))[0]
        removals = [remove_blobs(client, [key], named=nothing, grace_ms=0) for _ in range(2)]
        await asyncio.gather(*removals, *[blobs.put(BLOB) for _ in range(2)])
        await blobs.put(BLOB)
        assert await blobs.get(key) == BLOB


async def test_a_put_of_what_is_there_stores_no_bytes(
    client: Client, blobs: JetStreamBlobs
) -> None:
    """To touch a blob costs its description, however large it is."""
    await blobs.put(BLOB)
    before = await client.jetstream().stream_info("OBJ_lota-blobs")
    await blobs.put(BLOB)
    after = await client.jetstream().stream_info("OBJ_lota-blobs")
    assert after.state.messages == before.state.messages
    assert after.state.bytes == before.state.bytes


async def test_the_rest_of_the_log_and_its_base_name_blobs() -> None:
    """A blob is needed while an event that stayed names it, or the base does."""
    records = story(1)
    log = MemoryLog()
    extend(log, records)
    log.archive(Base(len(records) - 1, b'{"jobs":[{"blob":"bafkreiinbase"}]}'))
    asked = {"bafkreiinbase", "bafkreinowhere"}
    assert await still_named(log, asked, progress=lambda _: None) == {"bafkreiinbase"}


async def test_what_only_a_newer_version_knows_names_blobs() -> None:
    """A blob stays that is named in an event which this version cannot read."""
    named, other = raw_cid(b"named"), raw_cid(b"other")
    log = MemoryLog()
    body = b'{"type":"lota.job.moved.v9","data":{"listing":"%s"}}' % named.encode()
    await log.append("lota.ev.00.x.r.n.a.b", body, id="newer")
    assert await still_named(log, {named, other}, progress=lambda _: None) == {named}


async def test_an_archive_carries_its_blobs(
    client: Client, blobs: JetStreamBlobs, tmp_path: Path
) -> None:
    """What is removed from the server is in the file, and the base of the base with it."""
    log = await open_log(client)
    for record in story(1)[:60]:
        await log.append(record.subject, record.body, id=f"{record.position}")
    path = tmp_path / "a.jsonl"
    await write_archive(client, blobs, path, first=1, last=50, progress=lambda _: None)
    checked = await check_archive(path, progress=lambda _: None)
    assert checked.reference == BaseRef(50, await blobs.put(checked.base))
    await log.close()
