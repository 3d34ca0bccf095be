"""The skeletons of the large results that a node holds: their blocks, kept beside them.

Whoever reads a result over the network asks for the blocks of its folders and long files. Those
follow from hashing all of it, so they are written down when that is done for the claim, in
`<execution>/skeleton.car` beside `<execution>/result`. The file is a cache: whoever reads checks
every block. When it is missing or damaged it is made anew, one result at a time, and those who ask
meanwhile are told to come again.
"""

import asyncio
import logging
import os
from pathlib import Path

from events.errors import ContentError, LotaError, NodeSilent, PublishError
from events.unixfs import Root
from publishers.known_skeleton import SKELETON
from publishers.skeleton import Skeleton
from publishers.unixfs import tree_cid

KEPT_FROM_BYTES = 1024 * 1024
KEPT_FROM_FILES = 1_000
"""Hashing less takes a millisecond or some: its skeleton is only kept once somebody has asked."""

WAITING_MAX = 16
PATIENCE_S = 1.0

log = logging.getLogger(__name__)


def claimed(result: Path) -> Root:
    """Hash a finished result for its claim, and keep the skeleton of a large one; blocks.

    Raises `ContentError` for what has no content address or cannot be read.
    """
    try:
        skeleton = Skeleton.build(result)
    except PublishError:  # no room for it, or nothing to hash: the claim itself needs no room
        tree = tree_cid(result)
        return Root(tree.cid, tree.dag_size_bytes)
    try:
        if skeleton.dag_size_bytes >= KEPT_FROM_BYTES or skeleton.files >= KEPT_FROM_FILES:
            keep_skeleton(skeleton, result)
        return skeleton.root
    finally:
        skeleton.close()


def keep_skeleton(skeleton: Skeleton, result: Path) -> bool:
    """Write a result's skeleton beside it, whole or not at all; blocks.

    What cannot be written, as on a full disk, is not missed: it can be made anew. So a failure is
    no error but False.
    """
    place = result.with_name(SKELETON)
    part = place.with_name(f"{SKELETON}.part")
    try:
        part.unlink(missing_ok=True)  # a crash may have left it
        skeleton.write(part)
        os.replace(part, place)
    except OSError as error:
        log.warning("%s could not be written: %s", place, error.strerror)
        return False
    return True


class HeldSkeletons:
    """Reads blocks from skeletons, and makes those that are missing.

    Who asks waits `patience_s` for one that is being made, then comes again.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._making: dict[Path, asyncio.Task[None]] = {}
        self._one = asyncio.Lock()

    async def block(self, result: Path, cid: bytes) -> bytes:
        """Return a block of the result in a folder, by its CID in 36 bytes.

        Raises NotFound when it has none such, NodeSilent while its skeleton is being made.
        """
        try:
            return await asyncio.to_thread(_block, result, cid)
        except (FileNotFoundError, ContentError):
            await self._made(result)
        return await asyncio.to_thread(_block, result, cid)

    async def settled(self) -> None:
        """Wait until nothing is being made."""
        while self._making:
            await asyncio.wait(list(self._making.values()))

    async def close(self) -> None:
        """Make no more; one that is being hashed goes on in its thread until it ends."""
        for task in self._making.values():
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    async def _made(self, result: Path) -> None:
        task = self._making.get(result)
        if task is None:
            if len(self._making) >= WAITING_MAX:
                raise NodeSilent("too many results are being indexed", hint="ask again")
            task = self._making[result] = asyncio.ensure_future(self._make(result))
            task.add_done_callback(lambda done: self._ended(result, done))
        done, _ = await asyncio.wait((task,), timeout=self._patience_s)
        if not done:
            raise NodeSilent("the result is being indexed", hint="ask again")
        task.result()

    def _ended(self, result: Path, task: "asyncio.Task[None]") -> None:
        self._making.pop(result, None)
        if not task.cancelled() and task.exception() is not None:
            log.warning("the blocks of %s cannot be made: %s", result, task.exception())

    async def _make(self, result: Path) -> None:
        async with self._one:
            await asyncio.to_thread(_make, result)


def _block(result: Path, cid: bytes) -> bytes:
    skeleton = Skeleton.open(result.with_name(SKELETON))
    try:
        return skeleton.node(cid)
    finally:
        skeleton.close()


def _make(result: Path) -> None:
    skeleton = Skeleton.build(result)
    try:
        if not keep_skeleton(skeleton, result):
            raise LotaError(f"the blocks of {result} cannot be kept", hint="is the disk full?")
    finally:
        skeleton.close()
