"""The blocks of folders and long files in published results, for readers that check what they get.

Such blocks are made by hashing the whole result. So those of a result are kept: open while they
are asked for, and on the disk when it was work to make them. A result that is another now, at the
same key, has a folder of its own, and is hashed anew. A block that is wrong because somebody
changed the result does no harm: its reader notices.
"""

import asyncio
import logging
import os
from collections import OrderedDict
from pathlib import Path

from events.errors import LotaError, NotFound
from publishers.durable import make_durable
from publishers.local_root import open_below
from publishers.skeleton import BuiltSkeleton, Skeleton

OPEN_MAX = 64
BUILDS_MAX = 1
"""Hashing takes a core, and the node's first business is to run jobs. Its files have one writer."""

KEPT_FROM_BYTES = 16 << 20
"""Smaller results are hashed as fast as their blocks would be found on the disk."""

KEPT_BYTES_MAX = 1 << 30

log = logging.getLogger(__name__)


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
    """The blocks of all results below `root`; `folder` is its own, and may be emptied any time."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._builds = asyncio.Semaphore(BUILDS_MAX)

    async def node(self, key: str, cid: bytes) -> bytes:
        """Return a block by its CID in 36 bytes; raises `NotFound` when the result lacks it.

        The first block of a result takes as long as reading all of it.
        """
        held = self._held.setdefault(key, _Held())
        self._held.move_to_end(key)
        held.users += 1
        try:
            async with held.lock:
                identity = await asyncio.to_thread(_identity, self._root, key)
                if held.skeleton is None or held.identity != identity:
                    held.close()
                    async with self._builds:
                        held.skeleton = await asyncio.to_thread(self._made, key, identity)
                    held.identity = identity
                return await asyncio.to_thread(held.skeleton.node, cid)
        finally:
            held.users -= 1
            self._let_go(OPEN_MAX)

    def close(self) -> None:
        """Close what is open; nobody may be reading."""
        self._let_go(0)

    def _let_go(self, most: int) -> None:
        idle = [key for key, held in self._held.items() if not held.users]
        for key in idle[: max(0, len(self._held) - most)]:
            self._held.pop(key).close()

    def _made(self, key: str, identity: str) -> Skeleton:
        """Open the kept blocks of a result, or make them; blocks."""
        kept = self._folder / f"{key.replace('/', '.')}.{identity}"
        if kept.exists():
            try:
                return Skeleton.open(kept)
            except (LotaError, OSError) as error:
                log.warning("blocks of %s are made again: %s", key, error)
        skeleton = Skeleton.build(self._root / key)
        if skeleton.dag_size_bytes >= KEPT_FROM_BYTES:
            self._keep(skeleton, kept)
        return skeleton

    def _keep(self, skeleton: BuiltSkeleton, kept: Path) -> None:
        """Write the blocks to the disk; without them the next process hashes again."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = self._folder / "unfinished"
            unfinished.unlink(missing_ok=True)
            skeleton.write(unfinished)
            make_durable([str(unfinished)], str(self._folder))
            unfinished.rename(kept)
            self._trim()
        except OSError as error:
            log.warning("blocks are not kept in %s: %s", self._folder, error)

    def _trim(self) -> None:
        """Remove the oldest until the rest is small enough."""
        files = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        room_bytes = KEPT_BYTES_MAX
        for path in files:
            room_bytes -= path.stat().st_size
            if room_bytes < 0:
                path.unlink(missing_ok=True)


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
