"""Files of results onto this machine's disk: whole and right under their names, or not there.

A file is fetched beside the tree, in `.lota-part/`, chunk by chunk, and each chunk is checked. When
all are there the file is made durable, with others that are ready, and renamed. An interruption at
any point leaves chunks in the part file; the next try hashes them, and fetches those that it lacks.
What stands under a name already is hashed too, and left alone when it is something else.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Literal, NamedTuple

from events.cid import DAG_PB, cid_bytes
from events.errors import LotaError
from events.unixfs_reader import Place
from node.results.part_file import PartFile
from publishers.blocks import leaves, read_leaf, read_node
from publishers.durable import make_durable
from publishers.pipeline import in_order
from publishers.port import Copy
from publishers.reading import Entry

PARTS = ".lota-part"
CHUNKS_AT_ONCE = 16
"""Chunks of 1 MiB that are under way at one time, for all files together."""

AHEAD = 8
"""Chunks of one file that are begun before the first has come."""

GROUP_FILES = 512
GROUP_BYTES = 256 * 1024 * 1024
"""Files that become durable together: syncing one by one takes longer than fetching small ones."""

_OCCUPIED = {errno.EEXIST, errno.ELOOP, errno.ENOTDIR}

OnBytes = Callable[[int], None]


class Origin(NamedTuple):
    """A file of a result, and the copy to read it from."""

    copy: Copy
    entry: Entry


class _Chunk(NamedTuple):
    copy: Copy
    leaf: Place
    at: int


class _Ready(NamedTuple):
    part: Path
    target: Path
    size_bytes: int


class Placing:
    """Puts files below `folder`, between `begin` and `end`.

    `on_bytes` is told how many more bytes are right, `problems` holds what could not get its name.
    Every method raises OSError for the disk.
    """

    def __init__(self, folder: Path, on_bytes: OnBytes) -> None:
        self.problems: list[LotaError] = []
        self._folder = folder
        self._parts = folder / PARTS
        self._on_bytes = on_bytes
        self._room = asyncio.Semaphore(CHUNKS_AT_ONCE)
        self._ready: list[_Ready] = []
        self._lock = -1

    def begin(self) -> None:
        """Make the folder and take it for this process; blocks.

        Raises LotaError when another one fetches into it.
        """
        self._parts.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._parts, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.end(done=False)
            raise LotaError(
                f"another process fetches into {self._folder}", hint="wait for it, or use another"
            ) from None

    def end(self, *, done: bool) -> None:
        """Give the folder back; `done` says that no part is needed any more. Blocks."""
        if self._lock < 0:
            return
        if done:
            shutil.rmtree(self._parts, ignore_errors=True)
        os.close(self._lock)
        self._lock = -1

    async def folder(self, path: str) -> None:
        """Make a folder of the result. Raises LotaError when something else is there."""
        target = self._folder / path
        try:
            await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise _other(target) from None

    async def file(self, path: str, origins: Sequence[Origin]) -> None:
        """Fetch the files of `origins` into one at `path`, one behind the other.

        Its last steps may be left to `flush`. Raises LotaError when something else is there, or
        when no copy gives it.
        """
        target, part = self._folder / path, self._parts / _name(path, origins)
        if len(origins) == 1 and cid_bytes(origins[0].entry.cid)[1] != DAG_PB:
            if not await self._chunk(target, part, origins[0]):
                return
        elif await self._is_there(target, origins):
            return
        else:
            await self._fill(part, origins)
        size_bytes = sum(origin.entry.size_bytes for origin in origins)
        self._ready.append(_Ready(part, target, size_bytes))
        bytes_ready = sum(ready.size_bytes for ready in self._ready)
        if len(self._ready) >= GROUP_FILES or bytes_ready >= GROUP_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Make durable what is whole, and give it its names."""
        group, self._ready = self._ready, []
        if group:
            self.problems += await asyncio.to_thread(_place, group, str(self._folder))

    async def _is_there(self, target: Path, origins: Sequence[Origin]) -> bool:
        """Whether the file was fetched before. Raises LotaError when it is something else."""
        try:
            found = await asyncio.to_thread(PartFile.existing, target)
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
            raise _other(target) from None
        if found is None:
            return False
        try:
            if found.had_bytes != sum(origin.entry.size_bytes for origin in origins):
                raise _other(target)
            async with aclosing(_chunks(origins)) as chunks:
                async for chunk in chunks:
                    if not await asyncio.to_thread(found.has, chunk.leaf, chunk.at):
                        raise _other(target)
        finally:
            await asyncio.to_thread(found.close)
        self._on_bytes(found.had_bytes)
        return True

    async def _chunk(self, target: Path, part: Path, origin: Origin) -> bool:
        """Fetch a file of one chunk, of which there may be very many; False when it is there."""
        copy, entry = origin
        leaf = Place(cid_bytes(entry.cid), os.fsencode(entry.path), entry.size_bytes)
        state = await asyncio.to_thread(_state, target, part, leaf)
        if state == "missing":
            async with self._room:
                data = await read_leaf(copy, leaf)
                await asyncio.to_thread(_write, part, data)
        self._on_bytes(entry.size_bytes)
        return state != "there"

    async def _fill(self, path: Path, origins: Sequence[Origin]) -> None:
        """Fetch the chunks that a part lacks, some at a time."""
        part = await asyncio.to_thread(PartFile.begin, path)

        async def fill(chunk: _Chunk) -> None:
            async with self._room:
                if not await asyncio.to_thread(part.has, chunk.leaf, chunk.at):
                    data = await read_leaf(chunk.copy, chunk.leaf)
                    await asyncio.to_thread(part.write, data, chunk.at)
            self._on_bytes(chunk.leaf.dag_size_bytes or 0)

        try:
            async with aclosing(in_order(_chunks(origins), fill, ahead=AHEAD)) as filled:
                async for _ in filled:
                    pass
            size_bytes = sum(origin.entry.size_bytes for origin in origins)
            await asyncio.to_thread(part.finish, size_bytes)
        finally:
            await asyncio.to_thread(part.close)


async def _chunks(origins: Sequence[Origin]) -> AsyncGenerator[_Chunk, None]:
    """Give the chunks of all files, and where each comes to stand."""
    start = 0
    for copy, entry in origins:
        cid = cid_bytes(entry.cid)
        folded = cid[1] == DAG_PB
        place = Place(cid, os.fsencode(entry.path), None if folded else entry.size_bytes)
        block = await read_node(copy, place) if folded else b""
        async with aclosing(leaves(copy, place, block)) as found:
            async for leaf in found:
                yield _Chunk(copy, leaf, start + leaf.offset)
        start += entry.size_bytes


def _name(path: str, origins: Sequence[Origin]) -> str:
    """Return the name of a part: the same for the same file, so that it is found again."""
    told = "\0".join([path, *(origin.entry.cid for origin in origins)])
    return hashlib.sha256(os.fsencode(told)).hexdigest()[:32]


def _state(target: Path, part: Path, leaf: Place) -> Literal["there", "ready", "missing"]:
    """Say whether a file of one chunk stands under its name, or ready beside it."""
    for path in (target, part):
        try:
            found = PartFile.existing(path)
        except OSError as error:
            if error.errno in _OCCUPIED:
                raise _other(path) from None
            raise
        if found is None:
            continue
        try:
            if found.had_bytes == leaf.dag_size_bytes and found.has(leaf, 0):
                return "there" if path == target else "ready"
        finally:
            found.close()
        if path == target:
            raise _other(target)
    return "missing"


def _write(path: Path, data: bytes) -> None:
    part = PartFile.begin(path)
    try:
        part.write(data, 0)
        part.finish(len(data))
    finally:
        part.close()


def _place(group: list[_Ready], folder: str) -> list[LotaError]:
    """Make a group durable and rename it; returns what is in the way of some."""
    make_durable((str(ready.part) for ready in group), folder)
    problems: list[LotaError] = []
    for ready in group:
        try:
            ready.target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(ready.target):
                raise FileExistsError
            ready.part.rename(ready.target)
        except (FileExistsError, NotADirectoryError):
            problems.append(_other(ready.target))
    return problems


def _other(target: Path) -> LotaError:
    return LotaError(f"{target} is there and is something else", hint="move it away")
