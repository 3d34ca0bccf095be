"""The blocks of folders and long files in published results, for readers that check what they get.

Such blocks are made by hashing the whole result, so they are held as long as others are not asked
for instead; those of large results the publisher has kept beside them. A result that is another
now, at the same key, has a folder of its own, and its blocks are looked for anew. A block that is
wrong because somebody changed the result does no harm: its reader notices.
"""

import asyncio
import os
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from events.errors import ContentError, LotaError, NotFound
from publishers.kept_skeletons import KEPT_FOLDER
from publishers.local_root import open_below
from publishers.skeleton import BuiltSkeleton, Skeleton

OPEN_MAX = 64
BUILDS_MAX = 1
"""Hashing takes a core, and the node's first business is to run jobs."""


class _Held:
    """The blocks of one result; `users` are about to read or reading."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0
        self.identity = ""
        self.skeleton: Skeleton | None = None

    def close(self) -> None:
        if self.skeleton is not None:
            self.skeleton.close()
            self.skeleton = None


class ResultBlocks:
    """The blocks of all results below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._builds = asyncio.Semaphore(BUILDS_MAX)

    async def node(self, key: str, cid: bytes) -> bytes:
        """Return a block by its CID in 36 bytes; raises `NotFound` when the result lacks it.

        The first block of a result that the publisher has kept none of takes as long as reading
        all of it.
        """
        held = self._held.setdefault(key, _Held())
        self._held.move_to_end(key)
        held.users += 1
        try:
            async with held.lock:
                return await self._read(held, key, cid)
        finally:
            held.users -= 1
            self._let_go(OPEN_MAX)

    def close(self) -> None:
        """Close what is open; nobody may be reading."""
        self._let_go(0)

    async def _read(self, held: _Held, key: str, cid: bytes) -> bytes:
        identity = await asyncio.to_thread(_identity, self._root, key)
        if held.identity != identity:
            held.close()
            held.skeleton = await asyncio.to_thread(self._kept, key)
            held.identity = identity
        if held.skeleton is not None:
            try:
                return await asyncio.to_thread(held.skeleton.node, cid)
            except (NotFound, ContentError):
                # What was kept may be damaged, or of the result before this one.
                if isinstance(held.skeleton, BuiltSkeleton):
                    raise
        async with self._builds:
            built = await asyncio.to_thread(Skeleton.build, self._root / key)
        held.close()
        held.skeleton = built
        return await asyncio.to_thread(built.node, cid)

    def _kept(self, key: str) -> Skeleton | None:
        with suppress(OSError, ContentError):
            return Skeleton.open(self._root / KEPT_FOLDER / f"{key}.car")
        return None

    def _let_go(self, most: int) -> None:
        idle = [key for key, held in self._held.items() if not held.users]
        for key in idle[: max(0, len(self._held) - most)]:
            self._held.pop(key).close()


def _identity(root: Path, key: str) -> str:
    """Return what changes when another result is put at the key; raises `NotFound`."""
    try:
        os.close(open_below(root, f"{key}/exit_code"))  # follows no link on its way
        status = os.lstat(root / key)
    except (LotaError, OSError):
        raise NotFound(
            f"there is no result {key} here", hint="Ask another node, or publish it again"
        ) from None
    return f"{status.st_ino:x}-{status.st_ctime_ns:x}"
