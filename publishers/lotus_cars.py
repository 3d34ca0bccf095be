"""The CARs that a lotus daemon reads while it transfers a deal's bytes.

The daemon keeps the path of an import and not the bytes. So a CAR must lie where it can be read,
whole, from the import until the transfer has ended; and it must be gone from the daemon's list
before it is gone from the disk, or a later deal of the same content could look for it.
"""

import asyncio
import os
import shutil
import threading
from pathlib import Path

from events.errors import PublishError
from publishers.car import CarPlan
from publishers.disk import disk_error
from publishers.durable import make_durable
from publishers.lotus_cli import LotusCli
from publishers.lotus_slot import whole
from publishers.port import Result
from publishers.staging import Staging

SPARE_BYTES = 64 << 20
"""What a CAR leaves free of the disk, at least."""


class Cars:
    """The folder that this node and the daemon share."""

    def __init__(self, cli: LotusCli, folder: Path) -> None:
        self._cli = cli
        self.folder = folder
        self._staging: Staging | None = None
        self._opening = threading.Lock()

    async def open(self) -> Staging:
        """Make the folder; raises `PublishError` when that cannot be."""
        try:
            return await whole(self._open)
        except OSError as error:
            raise self._failure(error) from error

    async def pack(self, plan: CarPlan, path: Path) -> None:
        """Write a CAR, whole or not at all; raises `PublishError`."""
        draft = (await self.open()).new()
        stop = threading.Event()
        try:
            writing = asyncio.ensure_future(whole(_write, plan, draft, path, stop))
            try:
                await asyncio.shield(writing)
            finally:
                stop.set()
                await asyncio.wait([writing])
        except OSError as error:
            raise self._failure(error) from error

    async def note(self, path: Path, cid: str) -> None:
        """Have the daemon know a CAR, once."""
        if any(one.path == str(path) and one.root == cid for one in await self._cli.imports()):
            return
        root = await self._cli.import_car(path)
        if root != cid:
            raise PublishError(
                "wrong-root",
                f"lotus has read {root[:80]!r} from the CAR of {cid}",
                permanent=True,
                hint="Use lotus v1.17 to v1.27.0",
            )

    async def release(self, path: Path) -> bool:
        """Remove a CAR that no deal needs any more; False when it stays for now."""
        if not await asyncio.to_thread(path.exists):
            return True
        try:
            for one in await self._cli.imports():
                if one.path == str(path):
                    await self._cli.drop(one.number)
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except (PublishError, OSError):
            return False  # the daemon is away, or the disk: a sweep tries again
        return True

    async def close(self) -> None:
        """Remove what was being written; safe to repeat."""
        staging, self._staging = self._staging, None
        if staging is not None:
            await whole(staging.close)

    def _open(self) -> Staging:
        with self._opening:
            if self._staging is not None and not self._staging.exists():
                self._staging.close()
                self._staging = None
            if self._staging is None:
                self._staging = Staging(self.folder)
            return self._staging

    def _failure(self, error: OSError) -> PublishError:
        return disk_error(error, f"the folder {self.folder}")


async def plan_car(result: Result, cid: str) -> CarPlan:
    """Hash a result and plan its CAR; raises `PublishError` when it is not `cid`."""
    return await asyncio.to_thread(CarPlan, result, cid)


def _write(plan: CarPlan, draft: Path, path: Path, stop: threading.Event) -> None:
    free_bytes = shutil.disk_usage(draft.parent).free
    if free_bytes < plan.size_bytes + SPARE_BYTES:
        raise PublishError(
            "disk-full",
            f"{path.parent} has {free_bytes} bytes free, and a CAR of {plan.size_bytes} would fill"
            " them",
            hint="Make room; a repeat then succeeds",
        )
    try:
        with open(draft, "wb") as file:
            os.fchmod(file.fileno(), 0o644)  # the daemon may run as another user
            for chunk in plan.chunks():
                if stop.is_set():
                    return
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
        make_durable([str(path.parent)], str(path.parent))
    finally:
        draft.unlink(missing_ok=True)
