"""Publishing to S3, beside the bare client putting the same files into the same server.

The result is one that a node has claimed: its skeleton lies beside it. The bare client signs what
it sends, as ours does, and has as many files under way. It does not hash each file on the way, send
a checksum for the service to check, or write a skeleton and a manifest: the ratio says what that
costs. The server takes most of both cores, as it would on one machine.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from benchmarks.figures import Figure, Limit, Peer, Unavailable
from node.compute.skeletons import claimed
from publishers.objects import FILES_AT_ONCE
from publishers.port import Workplace
from publishers.s3 import LARGE_AT_ONCE, S3Publisher
from tests.servers.seaweedfs import BUCKET, SeaweedFs, seaweedfs

MB = 1_000_000
ROUNDS = 8


def make_files(folder: Path, count: int, size_bytes: int) -> Path:
    """Make a folder of files that no server can take for each other."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / str(number)).write_bytes(os.urandom(size_bytes))
    return folder


async def bare_s(bucket: S3Store, folder: Path, prefix: str, at_once: int) -> float:
    """Return the time that the bare client takes to put every file below a prefix."""
    turn = asyncio.Semaphore(at_once)

    async def put(path: Path) -> None:
        async with turn:
            await obstore.put_async(bucket, f"{prefix}/{path.name}", path)

    began = time.perf_counter()
    await asyncio.gather(*[put(path) for path in folder.iterdir()])
    return time.perf_counter() - began


async def compare(
    server: SeaweedFs, folder: Path, publisher: S3Publisher, at_once: int, label: str
) -> Figure:
    """Return the rate of publications beside the bare client's, in rounds in turn."""
    cid = claimed(folder).cid
    size_bytes = sum(path.stat().st_size for path in folder.iterdir())
    bucket = server.bucket()
    times: list[tuple[float, float]] = []

    async def ours_s(number: int) -> float:
        began = time.perf_counter()
        await publisher.publish(folder, f"{label}/{number}", cid=cid)
        return time.perf_counter() - began

    for number in range(ROUNDS + 1):
        # In turn, since whoever comes second finds the disk busy with what the first has written.
        mine = await ours_s(number) if number % 2 else 0.0
        bare = await bare_s(bucket, folder, f"bare/{label}/{number}", at_once)
        times.append((mine or await ours_s(number), bare))
    del times[0]  # the server's first volumes
    ours, theirs = zip(*times, strict=True)
    return Figure(
        what=f"publishing to s3, {label}",
        value=size_bytes / MB / statistics.median(ours),
        unit="MB/s",
        peer=Peer(
            name="bare client",
            value=size_bytes / MB / statistics.median(theirs),
            ratio=statistics.median(bare / mine for mine, bare in times),
            limit=Limit(0.8),
        ),
    )


async def measure() -> AsyncIterator[Figure]:
    """Start a server and yield the rates for many small files and for a few large ones."""
    try:
        server = seaweedfs()
    except pytest.skip.Exception as missing:
        raise Unavailable(str(missing)) from None
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        publisher = S3Publisher(BUCKET, server.credential("writer"), Workplace(place / "workplace"))
        small = make_files(place / "small" / "result", 200, 100_000)
        yield await compare(server, small, publisher, FILES_AT_ONCE, "200x100kB")
        large = make_files(place / "large" / "result", 4, 50 * MB)
        yield await compare(server, large, publisher, LARGE_AT_ONCE, "4x50MB")
        await publisher.close()
