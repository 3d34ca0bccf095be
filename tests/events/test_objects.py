"""Object store buckets: other clients use the same ones, and nothing half is ever there."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from nats.js.object_store import ObjectStore

from events.connection import connect
from events.errors import ContentError, LogUnavailable, NotAdmitted, NotFound
from events.jetstream import NAME_MAX_BYTES, BucketFull, ObjectBucket
from events.jetstream.bucket_stream import tries_to_write
from events.jetstream.object_chunks import BATCH_BYTES
from events.jetstream.object_format import (
    OFFSET,
    chunk_subject,
    description_subject,
    write_description,
)
from events.jetstream.objects import CHUNK_BYTES, WINDOW_BYTES
from node.server import EmbeddedServer
from tests.tcp_proxy import TcpProxy

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 1]
_numbers = count()


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    opened = await connect(nats_url, name="objects")
    yield opened
    await opened.close()


@pytest.fixture
def name() -> str:
    return f"bucket-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
async def bucket(client: Client, name: str) -> AsyncIterator[ObjectBucket]:
    opened = ObjectBucket(client, name)
    await opened.check()
    yield opened
    await opened.close()
    with suppress(NotFoundError):
        await client.jetstream().delete_object_store(name)


async def pieces(data: bytes, piece_bytes: int = 1 << 20) -> AsyncIterator[bytes]:
    for start in range(0, len(data), piece_bytes):
        yield data[start : start + piece_bytes]


async def put(bucket: ObjectBucket, name: str, data: bytes) -> None:
    await bucket.put(name, len(data), pieces(data))


async def read(
    bucket: ObjectBucket, name: str, offset: int = 0, size_bytes: int | None = None
) -> bytes:
    return b"".join([piece async for piece in bucket.read(name, offset, size_bytes)])


async def theirs(client: Client, bucket: ObjectBucket) -> ObjectStore:
    """Return nats-py's own object store over the same bucket."""
    return await client.jetstream().object_store(bucket.name)


async def until_one_try_is_left(client: Client, bucket: ObjectBucket, name: str, left: int) -> None:
    """Wait for a purge that nobody hears of; each look is a request."""
    async with asyncio.timeout(10):
        while len(await tries_to_write(client, bucket.name, name)) > left:
            pass


@pytest.mark.parametrize("size_bytes", SIZES)
async def test_another_client_reads_what_is_written(
    client: Client, bucket: ObjectBucket, size_bytes: int
) -> None:
    """nats-py's own `get`, which checks the digest, gives back what was put."""
    data = os.urandom(size_bytes)
    await put(bucket, "a/b c", data)
    got = await (await theirs(client, bucket)).get("a/b c")
    assert (got.data, got.info.size) == (data, size_bytes)


@pytest.mark.parametrize("size_bytes", SIZES)
async def test_what_another_client_wrote_is_read(
    client: Client, bucket: ObjectBucket, size_bytes: int
) -> None:
    """An object of nats-py's `put` is read whole and by ranges, though no chunk tells its place."""
    data = os.urandom(size_bytes)
    await (await theirs(client, bucket)).put("a/b c", data)
    assert await read(bucket, "a/b c") == data
    for offset in {0, size_bytes // 3, size_bytes - 1} - {-1, size_bytes}:
        assert await read(bucket, "a/b c", offset, 1000) == data[offset : offset + 1000]


async def test_another_client_deletes_what_is_written(client: Client, bucket: ObjectBucket) -> None:
    """What nats-py deletes is not found, and can be written again as a new object."""
    await put(bucket, "a", b"first")
    await (await theirs(client, bucket)).delete("a")
    with pytest.raises(NotFound):
        await read(bucket, "a")
    assert await bucket.put_new("a", b"second")
    assert await read(bucket, "a") == b"second"


async def test_the_longest_name_is_usable(client: Client, bucket: ObjectBucket) -> None:
    """A name as long as is promised fits the protocol, for us and for others."""
    name = "n" * NAME_MAX_BYTES
    await put(bucket, name, b"data")
    assert await read(bucket, name) == b"data"
    assert (await (await theirs(client, bucket)).get(name)).data == b"data"


async def test_chunks_of_any_size_are_joined(bucket: ObjectBucket) -> None:
    """Many small pieces, and some that fit nothing, become the same bytes."""
    data = os.urandom(CHUNK_BYTES * 2 + 77)
    for piece_bytes in (1000, CHUNK_BYTES - 1, CHUNK_BYTES + 1):
        await bucket.put(str(piece_bytes), len(data), pieces(data, piece_bytes))
        assert await read(bucket, str(piece_bytes)) == data


async def test_ranges_of_objects_written_at_one_time_are_found(bucket: ObjectBucket) -> None:
    """However the chunks of several objects lie among each other, a range is that of its object."""
    objects = {str(number): os.urandom((number + 1) * 1_300_000) for number in range(5)}
    await asyncio.gather(*(put(bucket, name, data) for name, data in objects.items()))
    for name, data in objects.items():
        last = len(data) - 1
        for offset in (last, CHUNK_BYTES - 1, 2 * CHUNK_BYTES, 0, last // 2, last // 3, last - 10):
            assert await read(bucket, name, offset, 700_000) == data[offset : offset + 700_000]


async def test_a_range_costs_little_of_a_large_object(client: Client, bucket: ObjectBucket) -> None:
    """One leaf from the middle of an object is fetched without what lies before it."""
    data = os.urandom(24 * CHUNK_BYTES)
    await put(bucket, "before", data)
    await put(bucket, "large", data)
    before = client.stats["in_bytes"]
    offset = 13 * CHUNK_BYTES
    assert await read(bucket, "large", offset, 1 << 20) == data[offset : offset + (1 << 20)]
    assert client.stats["in_bytes"] - before < 3 * CHUNK_BYTES


async def test_a_slow_reader_holds_two_batches(client: Client, bucket: ObjectBucket) -> None:
    """What nobody has taken yet is not fetched, but for the next batch."""
    data = os.urandom(24 * CHUNK_BYTES)
    await put(bucket, "large", data)
    before = client.stats["in_bytes"]
    stream = bucket.read("large")
    first = await anext(stream)
    for _ in range(20):
        await client.flush()
    assert client.stats["in_bytes"] - before < 2 * BATCH_BYTES + CHUNK_BYTES
    assert first + b"".join([piece async for piece in stream]) == data


async def test_a_writer_is_a_window_ahead_at_most(nats_url: str, name: str) -> None:
    """While no acknowledgement comes, no more than the window is taken from the source."""
    taken = 0
    back = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            yield bytes(CHUNK_BYTES)
            taken += 1
            if taken == 2:
                proxy.lose_answers = True

    async with TcpProxy(int(nats_url.rpartition(":")[2])) as proxy:
        client = await connect(proxy.url, name="window", on_reconnect=back.set)
        bucket = ObjectBucket(client, name)
        writing = asyncio.create_task(bucket.put("endless", 1 << 40, endless()))
        await proxy.lost.wait()
        proxy.lose_answers = False
        proxy.cut()
        with pytest.raises(LogUnavailable):
            await writing
        await back.wait()
        await client.close()
    assert taken <= WINDOW_BYTES // CHUNK_BYTES + 2


@pytest.mark.parametrize("offset", [5, 6])
async def test_a_range_behind_the_end_is_not_found(bucket: ObjectBucket, offset: int) -> None:
    """Nothing can be read where an object has ended."""
    await put(bucket, "a", b"12345")
    assert await read(bucket, "a", 3, 100) == b"45"
    with pytest.raises(NotFound):
        await read(bucket, "a", offset, 1)


async def test_one_of_many_creators_wins(bucket: ObjectBucket) -> None:
    """Of many who write the same new object at one time one is told that it did."""
    data = [f"writer {number}".encode() for number in range(8)]
    told = await asyncio.gather(*(bucket.put_new("a", mine) for mine in data))
    assert sum(told) == 1
    assert await read(bucket, "a") == data[told.index(True)]


async def test_nothing_is_left_of_creators_who_lost(client: Client, bucket: ObjectBucket) -> None:
    """Whoever finds the object there removes what it has sent itself."""
    await asyncio.gather(*(bucket.put_new("a", b"x") for _ in range(8)))
    await until_one_try_is_left(client, bucket, "a", 1)
    assert await read(bucket, "a") == b"x"


async def test_a_source_that_fails_leaves_nothing(client: Client, bucket: ObjectBucket) -> None:
    """When what is written cannot be read to its end, there is no object and no chunk."""

    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3 * CHUNK_BYTES)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        await bucket.put("a", 4 * CHUNK_BYTES, broken())
    await until_one_try_is_left(client, bucket, "a", 0)
    assert await bucket.info("a") is None


async def test_a_source_of_another_size_is_refused(bucket: ObjectBucket) -> None:
    """An object is what its writer said, or is not there."""
    with pytest.raises(ContentError):
        await bucket.put("a", 6, pieces(b"12345"))
    assert await bucket.info("a") is None


async def test_what_a_dead_writer_left_is_removed(client: Client, bucket: ObjectBucket) -> None:
    """A repeat, by whomever, completes the object and removes the chunks of the earlier try."""
    data = os.urandom(3 * CHUNK_BYTES)
    dead, _ = await bucket._draft("a")
    assert await dead.begin(data[:CHUNK_BYTES])
    await dead.add(data[CHUNK_BYTES : 2 * CHUNK_BYTES])
    await dead.stored()
    await put(bucket, "a", data)
    found = await bucket.info("a")
    assert found is not None
    assert await tries_to_write(client, bucket.name, "a") == [f"$O.{bucket.name}.C.{found.nuid}"]
    assert await read(bucket, "a") == data


async def test_two_living_writers_make_one_object(client: Client, bucket: ObjectBucket) -> None:
    """A writer that is overtaken by another of the same bytes succeeds, and one copy is left."""
    data = os.urandom(3 * CHUNK_BYTES)
    begun, overtaken = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield data[: 2 * CHUNK_BYTES]
        begun.set()
        await overtaken.wait()
        yield data[2 * CHUNK_BYTES :]

    first = asyncio.create_task(bucket.put("a", len(data), slow()))
    await begun.wait()
    await put(bucket, "a", data)
    overtaken.set()
    await first
    await until_one_try_is_left(client, bucket, "a", 1)
    assert await read(bucket, "a") == data


async def test_the_same_object_is_not_sent_again(client: Client, bucket: ObjectBucket) -> None:
    """A repeat compares what is there by its digest, and sends its first chunk at most."""
    data = os.urandom(8 * CHUNK_BYTES)
    await put(bucket, "a", data)
    before = client.stats["out_bytes"]
    await put(bucket, "a", data)
    assert client.stats["out_bytes"] - before < 2 * CHUNK_BYTES


async def test_other_bytes_of_the_same_size_give_way_to_a_repeat(bucket: ObjectBucket) -> None:
    """An object that holds something else is removed, which is told, and then written."""
    await put(bucket, "a", b"forged")
    with pytest.raises(ContentError, match="removed"):
        await put(bucket, "a", b"proper")
    await put(bucket, "a", b"proper")
    assert await read(bucket, "a") == b"proper"


@pytest.mark.parametrize("theirs_too", [False, True])
async def test_other_bytes_of_another_size_are_replaced(
    client: Client, bucket: ObjectBucket, theirs_too: bool
) -> None:
    """An object is written over one of another size, also over one of another client."""
    if theirs_too:
        await (await theirs(client, bucket)).put("a", b"short")
    else:
        await put(bucket, "a", b"short")
    assert await read(bucket, "a") == b"short"
    await put(bucket, "a", b"rather long")
    assert await read(bucket, "a") == b"rather long"


async def test_a_missing_chunk_is_told(client: Client, bucket: ObjectBucket) -> None:
    """An object that has lost a part is an error, whether read whole or where the part was."""
    data = os.urandom(3 * CHUNK_BYTES)
    await put(bucket, "a", data)
    found = await bucket.info("a")
    assert found is not None
    await client.jetstream().delete_msg(f"OBJ_{bucket.name}", found.position - 2)
    with pytest.raises(ContentError):
        await read(bucket, "a")
    with pytest.raises(ContentError):
        await read(bucket, "a", CHUNK_BYTES + 5, 10)
    assert await read(bucket, "a", 0, 10) == data[:10]


@pytest.mark.parametrize("nuid", [">", "*", "", "a.>", "a b"])
async def test_a_forged_description_costs_no_other_object(
    client: Client, bucket: ObjectBucket, nuid: str
) -> None:
    """When a description names others' chunks, replacing or deleting its object spares them."""
    await put(bucket, "a", b"precious")
    forged = {"name": "b", "nuid": nuid, "size": 8, "digest": "SHA-256=x"}
    for work in (partial(put, bucket, "b", b"replaced"), partial(bucket.delete, "b")):
        subject = description_subject(bucket.name, "b")
        await client.jetstream().publish(subject, msgspec.json.encode(forged))
        with suppress(ContentError):
            await work()
    assert await read(bucket, "a") == b"precious"


@pytest.mark.parametrize("offset", ["x", "-1", "7", "9" * 40, "\u0665"])
async def test_a_forged_offset_does_not_stop_a_reader(
    client: Client, bucket: ObjectBucket, offset: str
) -> None:
    """A chunk that tells nonsense about its place gives bytes or an error, and soon."""
    chunk = bytes(1000)
    for _ in range(3):
        subject = chunk_subject(bucket.name, "forged")
        await client.jetstream().publish(subject, chunk, headers={OFFSET: offset})
    described = write_description(
        bucket.name, "a", nuid="forged", size_bytes=3000, chunks=3, chunk_bytes=1000, digest="x"
    )
    await client.jetstream().publish(description_subject(bucket.name, "a"), described)
    for start in (0, 1500, 2999):
        with suppress(ContentError):
            assert len(await read(bucket, "a", start, 10)) <= 10


async def test_a_full_bucket_says_so(client: Client, name: str) -> None:
    """What does not fit is an error of its own, and what was sent of it is removed."""
    await client.jetstream().create_object_store(name, max_bytes=4 * CHUNK_BYTES)
    bucket = ObjectBucket(client, name)
    with pytest.raises(BucketFull):
        await put(bucket, "a", bytes(6 * CHUNK_BYTES))
    await until_one_try_is_left(client, bucket, "a", 0)
    await put(bucket, "a", b"less")
    assert await read(bucket, "a") == b"less"
    await bucket.close()


async def test_a_bucket_of_another_configuration_is_used(client: Client, name: str) -> None:
    """Without direct gets, without rollups and with small messages a bucket works all the same."""
    await client.jetstream().add_stream(
        name=f"OBJ_{name}",
        subjects=[f"$O.{name}.>"],
        max_msg_size=64 * 1024,
        allow_direct=False,
        allow_rollup_hdrs=False,
    )
    bucket = ObjectBucket(client, name)
    await bucket.check()
    data = os.urandom(300_000)
    await put(bucket, "a", data)
    assert await read(bucket, "a") == data
    assert await read(bucket, "a", 200_000, 10) == data[200_000:200_010]
    await bucket.delete("a")
    assert await bucket.info("a") is None
    await bucket.close()


async def test_a_bucket_that_was_deleted_is_made_anew(client: Client, bucket: ObjectBucket) -> None:
    """A repeat finds that the bucket is gone, and creates it."""
    await put(bucket, "a", b"1")
    await client.jetstream().delete_object_store(bucket.name)
    with pytest.raises(LogUnavailable):
        await put(bucket, "a", b"1")
    await put(bucket, "a", b"1")
    assert await read(bucket, "a") == b"1"


async def test_a_cut_connection_is_told_and_a_repeat_completes(nats_url: str, name: str) -> None:
    """When the server goes away in the middle there is no object, and later a repeat makes it."""
    data = os.urandom(6 * CHUNK_BYTES)
    back = asyncio.Event()

    async def cut_off() -> AsyncIterator[bytes]:
        yield data[: 4 * CHUNK_BYTES]
        proxy.cut()
        yield data[4 * CHUNK_BYTES :]

    async with TcpProxy(int(nats_url.rpartition(":")[2])) as proxy:
        client = await connect(proxy.url, name="cut", on_reconnect=back.set)
        bucket = ObjectBucket(client, name)
        with pytest.raises(LogUnavailable):
            await bucket.put("a", len(data), cut_off())
        await back.wait()
        assert await bucket.info("a") is None
        await put(bucket, "a", data)
        assert await read(bucket, "a") == data
        assert len(await tries_to_write(client, name, "a")) == 1
        await bucket.close()
        await client.close()


async def cancelled(writing: Awaitable[None]) -> None:
    task = asyncio.ensure_future(writing)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_writer_leaves_nothing(client: Client, bucket: ObjectBucket) -> None:
    """Giving up in the middle of an object removes what was sent of it."""
    sent, never = asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield bytes(2 * CHUNK_BYTES)
        sent.set()
        await never.wait()

    writing = asyncio.create_task(bucket.put("a", 3 * CHUNK_BYTES, stuck()))
    await sent.wait()
    await cancelled(writing)
    await until_one_try_is_left(client, bucket, "a", 0)


async def test_a_server_that_is_away_is_told_at_once(tmp_path: Path, name: str) -> None:
    """Without a connection nothing waits for one: whoever asked repeats with patience."""
    back = asyncio.Event()
    async with EmbeddedServer(tmp_path) as server:
        client = await connect(server.url, name="away", on_reconnect=back.set)
        bucket = ObjectBucket(client, name)
        await put(bucket, "a", b"x")
        await server.kill()
        for work in (
            bucket.check,
            partial(put, bucket, "a", b"x"),
            partial(bucket.put_new, "a", b"x"),
            partial(read, bucket, "a"),
        ):
            with pytest.raises(LogUnavailable):
                await work()
        await server.start()
        await back.wait()
        assert await read(bucket, "a") == b"x"
        await client.close()


PERMISSIONS = """
jetstream {{ store_dir: "data" }}
authorization {{ users = [
  {{ user: "all", password: "x" }}
  {{ user: "some", password: "x", permissions: {{ publish: {{ deny: [{denied}] }} }} }}
] }}
"""


@pytest.mark.parametrize("denied", ["$O.>", "$O.*.M.>"])
async def test_what_is_not_permitted_is_told(tmp_path: Path, name: str, denied: str) -> None:
    """A server that does not let us write answers nothing, and yet the error says why."""
    config = tmp_path / "nats.conf"
    config.write_text(PERMISSIONS.format(denied=f'"{denied}"'))
    async with EmbeddedServer(tmp_path / "server", config=config) as server:
        owner = await connect(server.url, name="owner", user="all", password="x")
        await ObjectBucket(owner, name).check()
        client = await connect(server.url, name="some", user="some", password="x")
        bucket = ObjectBucket(client, name)
        with pytest.raises(NotAdmitted, match="does not let"):
            await bucket.check()
        with pytest.raises(NotAdmitted, match="does not let"):
            await put(bucket, "a", b"x")
        await client.close()
        await owner.close()
