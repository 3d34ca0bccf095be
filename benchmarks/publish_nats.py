"""The object store of the log's server: our own writer and reader, beside bare and nats-py's loops.

Writing is compared with a loop that publishes the same chunks and counts their acknowledgements:
it hashes nothing and describes nothing. Reading is compared with nats-py's `get` of a smaller
object, since that copies what it has for each chunk. Publishing is compared with nats-py's `put`
of the same files. How long the event loop was held up is measured while several readers work.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks.figures import Figure, Limit, Peer
from events.connection import connect
from events.jetstream import ObjectBucket
from events.jetstream.objects import CHUNK_BYTES, WINDOW_BYTES
from node.server import EmbeddedServer
from publishers.nats_objects import NatsPublisher
from publishers.port import Workplace
from publishers.unixfs import tree_cid

MIB = 1 << 20
OBJECT_MIB = 64
THEIR_OBJECT_MIB = 16
ROUNDS = 5
READERS = 4
TICK_S = 0.001
LEAVES = 20

Paired = list[tuple[float, float]]


async def chunks(count: int) -> AsyncIterator[bytes]:
    """Give one block again and again, so that making the bytes costs nothing."""
    block = os.urandom(MIB)
    for _ in range(count):
        yield block


async def write_s(bucket: ObjectBucket, name: str) -> float:
    """Return the time that one large object takes."""
    began = time.perf_counter()
    await bucket.put(name, OBJECT_MIB * MIB, chunks(OBJECT_MIB))
    return time.perf_counter() - began


async def bare_write_s(client: Client, name: str) -> float:
    """Publish chunks of the same size, as many ahead, and wait until all are stored."""
    await client.jetstream().add_stream(name=name, subjects=[f"{name}.>"])
    window, stored = asyncio.Semaphore(WINDOW_BYTES // CHUNK_BYTES), 0
    data = os.urandom(CHUNK_BYTES)
    total, done = OBJECT_MIB * MIB // CHUNK_BYTES, asyncio.Event()

    async def answered(_: Msg) -> None:
        nonlocal stored
        stored += 1
        window.release()
        if stored == total:
            done.set()

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=answered)
    began = time.perf_counter()
    for _ in range(total):
        await window.acquire()
        await client.publish(f"{name}.x", data, inbox)
    await done.wait()
    taken_s = time.perf_counter() - began
    await subscription.unsubscribe()
    await client.jetstream().delete_stream(name)
    return taken_s


async def read_s(bucket: ObjectBucket, name: str) -> float:
    """Return the time that reading one large object takes; nothing is kept."""
    began, size_bytes = time.perf_counter(), 0
    async for piece in bucket.read(name):
        size_bytes += len(piece)
    assert size_bytes == OBJECT_MIB * MIB
    return time.perf_counter() - began


async def their_read_s(client: Client, bucket: ObjectBucket, name: str) -> float:
    """Return the time of nats-py's `get`, for as many bytes as we read, by a smaller object."""
    store = await client.jetstream().object_store(bucket.name)
    began = time.perf_counter()
    await store.get(name)
    return (time.perf_counter() - began) * OBJECT_MIB / THEIR_OBJECT_MIB


async def longest_gap_s(bucket: ObjectBucket, name: str) -> float:
    """Return how long the event loop was away at most while several read one large object."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_S)
            longest = max(longest, time.perf_counter() - before - TICK_S)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(read_s(bucket, name) for _ in range(READERS)))
    watching.cancel()
    return longest


async def leaf_s(client: Client, name: str, object_name: str) -> float:
    """Return the median time of one leaf out of a large object that was never looked at."""
    times = []
    for number in range(LEAVES):
        bucket = ObjectBucket(client, name)
        offset = number * (OBJECT_MIB // LEAVES) * MIB
        began = time.perf_counter()
        async for _ in bucket.read(object_name, offset, MIB):
            pass
        times.append(time.perf_counter() - began)
        await bucket.close()
    return statistics.median(times)


def make_files(folder: Path, count: int, size_bytes: int) -> Path:
    """Make a folder of files."""
    folder.mkdir()
    for number in range(count):
        (folder / str(number)).write_bytes(os.urandom(size_bytes))
    return folder


async def publishing(client: Client, scratch: Path, label: str, folder: Path) -> Figure:
    """Return the rate of publications beside nats-py's `put`, file by file, in rounds in turn."""
    publisher = NatsPublisher(f"published-{label}", {}, Workplace(scratch / "workplace", client))
    store = await client.jetstream().create_object_store(f"bare-{label}")
    cid = tree_cid(folder).cid
    size_bytes = sum(path.stat().st_size for path in folder.iterdir())
    times: Paired = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        await publisher.publish(folder, f"job/{number}", cid=cid)
        between = time.perf_counter()
        for path in folder.iterdir():
            await store.put(f"{number}/{path.name}", path.read_bytes())
        times.append((between - began, time.perf_counter() - between))
    await publisher.close()
    return figure(f"publishing to nats, {label}", size_bytes, times, "nats-py's put", None)


def figure(
    what: str,
    size_bytes: int,
    times: Paired,
    peer: str,
    ratio: Limit | None,
    limit: Limit | None = None,
) -> Figure:
    """Return a rate and a peer's, the medians of rounds in turn."""
    ours, theirs = zip(*times, strict=True)
    return Figure(
        what=what,
        value=size_bytes / MIB / statistics.median(ours),
        unit="MiB/s",
        limit=limit,
        peer=Peer(
            name=peer,
            value=size_bytes / MIB / statistics.median(theirs),
            ratio=statistics.median(their / mine for mine, their in times),
            limit=ratio,
        ),
    )


async def measure() -> AsyncIterator[Figure]:
    """Start a server and yield the rates of objects, ranges and publications."""
    with tempfile.TemporaryDirectory() as scratch:
        async with EmbeddedServer(Path(scratch) / "nats") as server:
            client = await connect(server.url, name="benchmark")
            bucket = ObjectBucket(client, "benchmark")
            await bucket.check()
            rounds = range(ROUNDS)
            writes = [
                (await write_s(bucket, f"ours-{n}"), await bare_write_s(client, f"bare-{n}"))
                for n in rounds
            ]
            size_bytes = OBJECT_MIB * MIB
            yield figure("writing an object", size_bytes, writes, "bare publish", Limit(0.5))
            await bucket.put("small", THEIR_OBJECT_MIB * MIB, chunks(THEIR_OBJECT_MIB))
            reads = [
                (await read_s(bucket, "ours-0"), await their_read_s(client, bucket, "small"))
                for _ in rounds
            ]
            yield figure(
                "reading an object", size_bytes, reads, "nats-py's get", Limit(4), Limit(60)
            )
            yield Figure(
                what=f"longest stop of the event loop, {READERS} readers",
                value=await longest_gap_s(bucket, "ours-0") * 1e3,
                unit="ms",
                limit=Limit(50, at_most=True),
            )
            yield Figure(
                what=f"one leaf out of {OBJECT_MIB} MiB",
                value=await leaf_s(client, bucket.name, "ours-1") * 1e3,
                unit="ms",
            )
            place = Path(scratch)
            small = make_files(place / "small", 1000, 2_000)
            yield await publishing(client, place, "1000x2kB", small)
            large = make_files(place / "large", 4, 16_000_000)
            yield await publishing(client, place, "4x16MB", large)
            await bucket.close()
            await client.close()
