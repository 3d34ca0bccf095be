"""Publishing to a folder, beside `cp` and a sync of the same files.

The bare client copies and makes durable. Ours also hashes what has come to lie on the disk, and
puts it in place at one stroke. The rounds take turns, and each has a result that is in memory
already and a place of its own, since disks are not alike from one minute to the next.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from benchmarks.figures import Figure, Limit, Peer
from publishers.local import LocalPublisher
from publishers.port import Workplace
from publishers.unixfs import tree_cid

MB = 1_000_000
ROUNDS = 7


def make_result(folder: Path, files: int, size_bytes: int) -> None:
    """Make a folder of some files."""
    folder.mkdir()
    for number in range(files):
        (folder / f"{number:05}").write_bytes(os.urandom(size_bytes))


async def copied_s(result: Path, target: Path) -> float:
    """Return the time of a durable copy by the system's own tools."""
    began = time.perf_counter()
    for words in (("cp", "-r", result, target), ("sync", "-f", target)):
        process = await asyncio.create_subprocess_exec(*words)
        assert await process.wait() == 0
    return time.perf_counter() - began


async def compare(label: str, scratch: Path, make: Callable[[Path], None]) -> Figure:
    """Return the rate of publications beside the bare copy's, in rounds in turn."""
    result, root = scratch / "result", scratch / "root"
    make(result)
    tree = tree_cid(result)
    root.mkdir()
    publisher = LocalPublisher(str(root), {}, Workplace(scratch))
    times: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        bare_s = await copied_s(result, root / "bare")
        began = time.perf_counter()
        await publisher.publish(result, f"bench/{number}", cid=tree.cid)
        times.append((time.perf_counter() - began, bare_s))
        shutil.rmtree(root / "bare")
        shutil.rmtree(root / "bench" / str(number))
    await publisher.close()
    own, bare = zip(*times, strict=True)
    return Figure(
        what=f"publishing to a folder, {label}",
        value=tree.dag_size_bytes / MB / statistics.median(own),
        unit="MB/s",
        peer=Peer(
            name="cp and sync",
            value=tree.dag_size_bytes / MB / statistics.median(bare),
            ratio=statistics.median(theirs / ours for ours, theirs in times),
            limit=Limit(0.8),
        ),
    )


async def measure() -> AsyncIterator[Figure]:
    """Make the results in a throw-away folder and yield the rates."""
    shapes = {"4x64 MB": (4, 64 * MB), "2,000x20 kB": (2_000, 20_000)}
    for label, (files, size_bytes) in shapes.items():
        with tempfile.TemporaryDirectory() as scratch:

            def make(folder: Path, files: int = files, size_bytes: int = size_bytes) -> None:
                make_result(folder, files, size_bytes)

            yield await compare(label, Path(scratch), make)
