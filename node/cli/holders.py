"""Who holds the result of a shard: published folders of this machine, and the nodes that ran it.

All of them are strangers: a copy's URI is what somebody wrote on the log, and a node sends what it
likes. So what is kept is checked against the verdict's CID, and until then it lies apart.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from nats.aio.client import Client

from events.commitment import execution_id
from events.errors import InvalidInput, LotaError
from node.inputs.file_uri import to_path
from node.rpc import list_result, stream_result
from projections.state import OPEN, Execution, Job
from publishers.local_root import open_below

READ_BYTES = 256 * 1024

OnBytes = Callable[[int], None]
"""Called with how many more bytes have arrived."""


class Holder(Protocol):
    """One place that a shard's result can be had from; `name` is for messages."""

    name: str

    async def fetch(self, folder: Path, limit_bytes: int, on_bytes: OnBytes) -> None:
        """Make `folder`, which must not exist, with the whole result tree.

        Raises LotaError when it is not to be had, or longer than `limit_bytes`.
        """
        ...

    def stream(self, path: str) -> AsyncIterator[bytes]:
        """Yield one file of the result, or what there is of it while the command runs."""
        ...


class PublishedFolder:
    """A copy that the publisher `local` made, where this machine can read it."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    async def fetch(self, folder: Path, limit_bytes: int, on_bytes: OnBytes) -> None:
        try:
            await asyncio.to_thread(shutil.copytree, self._folder, folder, symlinks=True)
        except (OSError, shutil.Error) as error:
            raise LotaError(f"{self._folder} could not be copied: {error}") from error
        on_bytes(limit_bytes)

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        descriptor = await asyncio.to_thread(open_below, self._folder, path)
        try:
            while chunk := await asyncio.to_thread(os.read, descriptor, READ_BYTES):
                yield chunk
        finally:
            os.close(descriptor)


class HoldingNode:
    """A node that ran the shard."""

    def __init__(self, client: Client, node: str, execution: str) -> None:
        self.name = f"node {node}"
        self._client = client
        self._node = node
        self._execution = execution

    async def fetch(self, folder: Path, limit_bytes: int, on_bytes: OnBytes) -> None:
        files = await list_result(self._client, self._node, self._execution)
        room_bytes = limit_bytes
        try:
            await asyncio.to_thread(folder.mkdir, parents=True)
            for path, _ in files:
                place = folder / path
                if path.endswith("/"):
                    await asyncio.to_thread(place.mkdir, parents=True, exist_ok=True)
                    continue
                file = await asyncio.to_thread(_create, place)
                try:
                    async for chunk in self.stream(path):
                        room_bytes -= len(chunk)
                        if room_bytes < 0:
                            raise LotaError(f"{self.name} sends more than the result has")
                        await asyncio.to_thread(file.write, chunk)
                        on_bytes(len(chunk))
                finally:
                    await asyncio.to_thread(file.close)
        except OSError as error:
            raise LotaError(f"{folder} cannot be written: {error.strerror}") from error

    def stream(self, path: str) -> AsyncIterator[bytes]:
        return stream_result(self._client, self._node, self._execution, path)


def holders(client: Client, job: Job, index: int) -> list[Holder]:
    """Return who may hold a shard's result, the nearest and surest first."""
    shard = job.shards[index]
    found: list[Holder] = [
        PublishedFolder(folder)
        for _, slot in sorted(shard.slots.items())
        for copy in slot.copies
        if (folder := _published(copy.uri, job.id, index)) is not None
    ]
    attempts = sorted(
        range(len(shard.executions)),
        key=lambda attempt: (_rank(shard.executions[attempt]), attempt),
    )
    found += [
        HoldingNode(client, shard.executions[attempt].node, execution_id(job.id, index, attempt))
        for attempt in attempts
    ]
    return found


def _rank(execution: Execution) -> int:
    if execution.state == "accepted":
        return 0
    return 1 if execution.state in OPEN else 2


def _published(uri: str, job: str, index: int) -> Path | None:
    """Return the folder of a copy if it is here and is where that copy has to be."""
    if not uri.startswith("file://"):
        return None
    try:
        folder = Path(to_path(uri))
    except InvalidInput:
        return None
    return folder if folder.parts[-2:] == (job, str(index)) and folder.is_dir() else None


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")
