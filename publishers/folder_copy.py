"""A result of this machine as a copy that is read block by block."""

import asyncio
import os
from collections.abc import Callable

from events.errors import ContentError
from publishers.disk import disk_error
from publishers.port import Result
from publishers.result_blocks import read_leaf
from publishers.skeleton import BuiltSkeleton, Skeleton


class FolderCopy:
    """Gives the blocks of a folder, or of a small result from memory; the reader verifies them.

    The first node that is asked for takes the skeleton, which hashes the result unless
    `open_skeleton` knows of one that was kept. It blocks, and is called with True when what it gave
    before turned out to be damaged, to make it anew.
    """

    def __init__(
        self, result: Result, open_skeleton: Callable[[bool], Skeleton] | None = None
    ) -> None:
        self._result = result
        self._open = open_skeleton or (lambda _: Skeleton.build(result))
        self._skeleton: Skeleton | None = None
        self._opening = asyncio.Lock()

    async def node(self, cid: bytes) -> bytes:
        skeleton = await self._opened()
        try:
            return await self._read(skeleton, cid)
        except ContentError:
            if isinstance(skeleton, BuiltSkeleton):
                raise
        return await self._read(await self._opened_instead_of(skeleton), cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        try:
            return await asyncio.to_thread(
                read_leaf, self._result, os.fsencode(path), offset, size_bytes
            )
        except OSError as error:
            raise disk_error(error, f"the result {self._result}") from error

    async def close(self) -> None:
        async with self._opening:
            if self._skeleton is not None:
                await asyncio.to_thread(self._skeleton.close)

    async def _read(self, skeleton: Skeleton, cid: bytes) -> bytes:
        try:
            return await asyncio.to_thread(skeleton.node, cid)
        except OSError as error:
            raise disk_error(error, "the skeleton") from error

    async def _opened(self) -> Skeleton:
        async with self._opening:
            if self._skeleton is None:
                self._skeleton = await asyncio.to_thread(self._open, False)
            return self._skeleton

    async def _opened_instead_of(self, skeleton: Skeleton) -> Skeleton:
        async with self._opening:
            if self._skeleton is skeleton:
                self._skeleton = await asyncio.to_thread(self._open, True)
                await asyncio.to_thread(skeleton.close)
            assert self._skeleton is not None
            return self._skeleton
