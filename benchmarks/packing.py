"""Hashing trees, beside plain sha256 over the same bytes from the same page cache.

The ratio is the figure to keep: it says what the content model costs over the digest that any
content address must take. Many small files are bound by opening them, so their peer is a loop
that opens, reads and hashes each file.
"""

import os
import tempfile
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

from benchmarks.figures import Figure, Limit, Peer
from publishers.unixfs import result_cid, tree_cid

BIG_FILE_BYTES = 256 << 20
SMALL_FILES = 5_000
SMALL_FILE_BYTES = 2_000
RESULTS = 20_000
READ_BYTES = 1 << 20
ROUNDS = 3


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


def fastest_s(folder: Path) -> tuple[float, float]:
    """Return the fastest of some rounds, in turn, of the tree hash and of plain sha256."""
    tree_s = plain_s = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        tree_cid(folder)
        between = time.perf_counter()
        plain_sha256(folder)
        plain_s = min(plain_s, time.perf_counter() - between)
        tree_s = min(tree_s, between - started)
    return tree_s, plain_s


def compare(label: str, folder: Path, size_bytes: int) -> Figure:
    """Return the rate over a folder beside plain sha256."""
    tree_s, plain_s = fastest_s(folder)
    return Figure(
        what=f"packing {label}",
        value=size_bytes / tree_s / 1e6,
        unit="MB/s",
        peer=Peer(
            name="plain sha256",
            value=size_bytes / plain_s / 1e6,
            ratio=plain_s / tree_s,
            limit=Limit(0.35),
        ),
    )


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


async def measure() -> AsyncIterator[Figure]:
    """Make the trees in a throw-away folder and yield the rates."""
    with tempfile.TemporaryDirectory() as scratch:
        big = Path(scratch) / "big"
        big.mkdir()
        block = os.urandom(1 << 20)
        with (big / "file").open("wb") as target:
            for _ in range(BIG_FILE_BYTES >> 20):
                target.write(block)
        yield compare("one big file", big, BIG_FILE_BYTES)
        small = Path(scratch) / "small"
        small.mkdir()
        for index in range(SMALL_FILES):
            (small / str(index)).write_bytes(block[index : index + SMALL_FILE_BYTES])
        yield compare("many small files", small, SMALL_FILES * SMALL_FILE_BYTES)
    yield in_memory("empty", b"")
    yield in_memory("1 kB of stdout", os.urandom(1000))
