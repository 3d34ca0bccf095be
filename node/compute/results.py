"""What a node answers when it is asked for the results that it holds."""

import asyncio
import os
from pathlib import Path

from events.errors import NotFound
from node.compute.memory import NodeMemory
from node.compute.skeletons import HeldSkeletons
from node.compute.work import Work
from node.rpc import Chunk
from publishers.port import SmallResult
from publishers.skeleton import Skeleton


class HeldResults:
    """Finished results from the database or their folders, and the output of what still runs."""

    def __init__(self, work: Work, memory: NodeMemory) -> None:
        self._work = work
        self._memory = memory
        self._skeletons = HeldSkeletons()

    async def list(self, execution: str) -> list[tuple[str, int]]:
        """See `ResultSource.list`."""
        result = await self._work.result(execution, self._memory)
        if result is None:
            raise NotFound(f"there is no result of {execution}")
        if isinstance(result, SmallResult):
            return sorted((*((name, len(data)) for name, data in _files(result)), ("outputs/", 0)))
        return await asyncio.to_thread(_walk, result)

    async def read(self, execution: str, path: str, offset: int, limit: int) -> Chunk:
        """See `ResultSource.read`."""
        result = await self._work.result(execution, self._memory)
        if result is None:
            return await self._work.read_running(execution, path, offset, limit)
        if isinstance(result, SmallResult):
            data = dict(_files(result)).get(path)
            if data is None:
                raise NotFound(f"{execution} has no file {path!r}")
            return Chunk(data[offset : offset + limit], len(data))
        return await asyncio.to_thread(_read, result, path, offset, limit)

    async def block(self, execution: str, cid: bytes) -> bytes:
        """See `ResultSource.block`."""
        result = await self._work.result(execution, self._memory)
        if result is None:
            raise NotFound(f"there is no result of {execution}")
        if isinstance(result, SmallResult):
            return _small_block(result, cid)
        return await self._skeletons.block(result, cid)

    async def close(self) -> None:
        """Stop what is done for those who asked; safe to repeat."""
        await self._skeletons.close()


def _files(result: SmallResult) -> list[tuple[str, bytes]]:
    return [
        ("exit_code", b"%d" % result.exit_code),
        ("stderr", result.stderr),
        ("stdout", result.stdout),
    ]


def _small_block(result: SmallResult, cid: bytes) -> bytes:
    skeleton = Skeleton.build(result)
    try:
        return skeleton.node(cid)
    finally:
        skeleton.close()


def _walk(root: Path) -> list[tuple[str, int]]:
    """List a result's files; its tree was hashed, so there is nothing but files and folders."""
    found: list[tuple[str, int]] = []
    for folder, folders, files in os.walk(root):
        below = os.path.relpath(folder, root)
        prefix = "" if below == "." else f"{below}/"
        found += [
            (f"{prefix}{name}", os.stat(os.path.join(folder, name)).st_size) for name in files
        ]
        if prefix and not folders and not files:
            found.append((prefix, 0))
    return sorted(found)


def _read(root: Path, path: str, offset: int, limit: int) -> Chunk:
    try:
        with open(root / path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(offset)
            return Chunk(file.read(limit), size)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise NotFound(f"the result has no file {path!r}") from None
