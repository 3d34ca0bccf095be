"""Hashing and packing trees, beside plain sha256 over the same bytes from the same page cache.

The ratio is the figure to keep: it says what the content model costs over the digest that any
content address must take. Many small files are bound by opening them, so their peer is a loop
that opens, reads and hashes each file. What is cut for an upload is hashed twice: for the root that
comes first, and when it is read to be sent. None of it may hold up the event loop, so the longest
time that the loop did not get its turn is a figure too.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

from benchmarks.figures import Figure, Limit, Peer
from publishers.car import CarPlan, write_car
from publishers.threads import in_thread
from publishers.unixfs import result_cid, tree_cid

BIG_FILE_BYTES = 256 << 20
SMALL_FILES = 5_000
SMALL_FILE_BYTES = 2_000
RESULTS = 20_000
READ_BYTES = 1 << 20
ROUNDS = 3
PIECE_BYTES = 50 << 20
LOOP_BYTES = 500 << 20


def plain_sha256(folder: Path) -> None:
    """Read every file of a flat folder and hash it."""
    buffer = memoryview(bytearray(READ_BYTES))
    for name in sorted(os.listdir(folder)):
        digest = sha256()
        source = os.open(f"{folder}/{name}", os.O_RDONLY)
        while count := os.readv(source, (buffer,)):
            digest.update(buffer[:count])
        os.close(source)
        digest.digest()


def hash_tree(folder: Path) -> None:
    """Take the root of a folder."""
    tree_cid(folder)


def pack_once(folder: Path) -> None:
    """Hash a folder and write its CAR in the same pass, as `lota car pack` does."""
    with tempfile.TemporaryFile() as target:
        write_car(folder, target)


def pack_pieces(folder: Path) -> None:
    """Make the pieces of a folder as they are sent, and let them go."""
    plan = CarPlan(folder, None)
    for piece in plan.pieces(PIECE_BYTES):
        for _ in piece.chunks():
            pass
    plan.close()


def fastest_s(work: Callable[[Path], None], folder: Path) -> tuple[float, float]:
    """Return the fastest of some rounds, in turn, of the work and of plain sha256."""
    work_s = plain_s = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work(folder)
        between = time.perf_counter()
        plain_sha256(folder)
        plain_s = min(plain_s, time.perf_counter() - between)
        work_s = min(work_s, between - started)
    return work_s, plain_s


def compare(
    label: str, work: Callable[[Path], None], folder: Path, size_bytes: int, limit: Limit | None
) -> Figure:
    """Return the rate over a folder beside plain sha256."""
    work_s, plain_s = fastest_s(work, folder)
    return Figure(
        what=label,
        value=size_bytes / work_s / 1e6,
        unit="MB/s",
        peer=Peer(
            name="plain sha256",
            value=size_bytes / plain_s / 1e6,
            ratio=plain_s / work_s,
            limit=limit,
        ),
    )


def compare_all(label: str, folder: Path, size_bytes: int) -> list[Figure]:
    """Return the rates of hashing, of packing, and of packing in pieces."""
    limit = Limit(0.35)
    return [
        compare(f"hashing {label}", hash_tree, folder, size_bytes, limit),
        compare(f"packing {label} (hash and CAR)", pack_once, folder, size_bytes, limit),
        compare(f"packing {label} in pieces (hashed twice)", pack_pieces, folder, size_bytes, None),
    ]


async def longest_gap_ms(folder: Path) -> float:
    """Return the longest time without a turn of the event loop while a folder is packed."""
    longest_s = 0.0
    packing = True

    async def watch() -> None:
        nonlocal longest_s
        before = time.perf_counter()
        while packing:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest_s = max(longest_s, now - before)
            before = now

    watching = asyncio.create_task(watch())
    plan = await asyncio.to_thread(CarPlan, folder, None)
    async for _ in in_thread(plan.chunks()):
        pass
    await asyncio.to_thread(plan.close)
    packing = False
    await watching
    return longest_s * 1000


def in_memory(label: str, stdout: bytes) -> Figure:
    """Return the time that the CID of a result in memory takes."""
    started = time.perf_counter()
    for _ in range(RESULTS):
        result_cid(stdout, b"", 0)
    return Figure(
        what=f"CID of a result in memory, {label}",
        value=(time.perf_counter() - started) / RESULTS * 1e6,
        unit="us",
        limit=Limit(15, at_most=True),
    )


def write_big(folder: Path, size_bytes: int) -> Path:
    """Make a folder with one file of that many bytes."""
    block = os.urandom(1 << 20)
    folder.mkdir()
    with (folder / "file").open("wb") as target:
        for _ in range(size_bytes >> 20):
            target.write(block)
    return folder


async def measure() -> AsyncIterator[Figure]:
    """Make the trees in a throw-away folder and yield the rates."""
    with tempfile.TemporaryDirectory() as scratch:
        big = write_big(Path(scratch) / "big", BIG_FILE_BYTES)
        for figure in compare_all("one big file", big, BIG_FILE_BYTES):
            yield figure
        small = Path(scratch) / "small"
        small.mkdir()
        bytes_of_all = os.urandom(SMALL_FILES + SMALL_FILE_BYTES)
        for index in range(SMALL_FILES):
            (small / str(index)).write_bytes(bytes_of_all[index : index + SMALL_FILE_BYTES])
        for figure in compare_all("many small files", small, SMALL_FILES * SMALL_FILE_BYTES):
            yield figure
        yield Figure(
            what="event loop's longest gap while 500 MB are packed",
            value=await longest_gap_ms(write_big(Path(scratch) / "loop", LOOP_BYTES)),
            unit="ms",
            limit=Limit(50, at_most=True),
        )
    yield in_memory("empty", b"")
    yield in_memory("1 kB of stdout", os.urandom(1000))
