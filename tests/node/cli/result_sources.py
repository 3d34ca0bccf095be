"""Nodes that hold results, as the command line meets them: honest, lying, slow, still running."""

import asyncio
from pathlib import Path

from events.errors import NotFound
from events.items import Claim
from node.rpc import Chunk
from publishers.port import SmallResult
from publishers.skeleton import Skeleton
from publishers.unixfs import tree_cid


class FolderSource:
    """A node that gives every execution the same folder, or lies about one file in it.

    `read_from` tells what was read: (path, offset). While `hold` is cleared nothing is given beyond
    the first `free` reads.
    """

    def __init__(self, folder: Path, *, lie: str = "", free: int = 0) -> None:
        self.read_from: list[tuple[str, int]] = []
        self.stuck = asyncio.Event()
        self.hold = asyncio.Event()
        if not free:
            self.hold.set()
        self._free = free
        self._folder = folder
        self._lie = lie

    async def list(self, execution: str) -> list[tuple[str, int]]:
        raise NotFound("a finished result is read by its blocks")

    async def read(self, execution: str, path: str, offset: int, limit: int) -> Chunk:
        if len(self.read_from) >= self._free and not self.hold.is_set():
            self.stuck.set()
            await self.hold.wait()
        self.read_from.append((path, offset))
        if path == self._lie:
            return Chunk(b"lie"[offset : offset + limit], 3)
        data = (self._folder / path).read_bytes()
        return Chunk(data[offset : offset + limit], len(data))

    async def block(self, execution: str, cid: bytes) -> bytes:
        skeleton = Skeleton.build(self._folder)
        try:
            return skeleton.node(cid)
        finally:
            skeleton.close()


class GrowingSource:
    """A command that prints: `grow` adds to its stdout and says when that was read.

    `ended` is its result, once it has one.
    """

    def __init__(self) -> None:
        self.ended: FolderSource | None = None
        self._data = b""
        self._read_up_to = asyncio.Condition()
        self._offset = 0

    async def list(self, execution: str) -> list[tuple[str, int]]:
        raise NotFound("it runs still")

    async def read(self, execution: str, path: str, offset: int, limit: int) -> Chunk:
        if self.ended is not None:
            return await self.ended.read(execution, path, offset, limit)
        async with self._read_up_to:
            self._offset = offset
            self._read_up_to.notify_all()
        return Chunk(self._data[offset : offset + limit], len(self._data), ended=False)

    async def block(self, execution: str, cid: bytes) -> bytes:
        if self.ended is None:
            raise NotFound("it runs still")
        return await self.ended.block(execution, cid)

    async def grow(self, data: bytes) -> None:
        """Print more, and wait until the reader asks for what comes behind it."""
        self._data += data
        async with self._read_up_to:
            await self._read_up_to.wait_for(lambda: self._offset == len(self._data))


def result(folder: Path, stdout: bytes = b"hello\n", **outputs: bytes) -> Claim:
    """Make the result folder of a command that wrote files, too; return what is claimed of it."""
    SmallResult(stdout, b"oops\n", 0).write_to(folder)
    (folder / "outputs" / "deep" / "er").mkdir(parents=True)
    (folder / "outputs" / "deep" / "file.bin").write_bytes(bytes(range(256)) * 4096)
    for name, data in outputs.items():
        (folder / "outputs" / name).write_bytes(data)
    tree = tree_cid(folder)
    return Claim(tree.cid, tree.dag_size_bytes, 0)
