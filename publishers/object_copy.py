"""Reading a result that lies as individual objects: only what is asked for is fetched."""

import asyncio
import os
from functools import partial

from publishers.object_names import SKELETON, encoded
from publishers.object_store import ObjectStore
from publishers.skeleton import StoredSkeleton


class ObjectCopy:
    """A published result, to be read block by block: what is asked for is all that is fetched."""

    def __init__(self, store: ObjectStore, base: str) -> None:
        self._store = store
        self._base = base
        self._skeleton: StoredSkeleton | None = None
        self._opening = asyncio.Lock()

    async def node(self, cid: bytes) -> bytes:
        async with self._opening:
            if self._skeleton is None:
                name = f"{self._base}/{SKELETON}"
                size_bytes = await self._store.size(name)
                self._skeleton = StoredSkeleton(partial(self._store.read, name), size_bytes)
        return await self._skeleton.node(cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        name = f"{self._base}/{encoded(os.fsencode(path))}"
        if size_bytes:
            return await self._store.read(name, offset, size_bytes)
        await self._store.size(name)  # no range of nothing can be asked for, but it must be there
        return b""

    async def close(self) -> None:
        """The store is the publisher's."""
