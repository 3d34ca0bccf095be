"""The driver `local`: results as folders `<root>/<job>/<shard>` below one folder of this machine.

Small results come in thousands, and syncing is what they cost. So those that gather while a group
is being written become the next group, with one sync for all their files and one for all their
names. A result that is a folder is a group of its own: a large one does not hold up the small.
"""

import asyncio
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from events.errors import PublishError
from publishers.folder_copy import FolderCopy
from publishers.local_root import Answer, LocalRoot, Request
from publishers.port import Copy, Location, Result, Workplace, require_key

MAX_GROUP = 256


class LocalPublisher:
    """Publishes below `target`, an absolute folder that outlives the node's own state.

    The credential is not used: who may write there is the operating system's business.
    """

    name = "local"
    paid = False

    def __init__(self, target: str, credential: Mapping[str, str], workplace: Workplace) -> None:
        path = Path(target)
        if not path.is_absolute():
            raise PublishError(
                "bad-target",
                f"the publisher 'local' cannot use {target!r}",
                permanent=True,
                hint="Give an absolute folder",
            )
        self._root = LocalRoot(path)
        self._waiting: list[tuple[Request, asyncio.Future[Answer]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def check(self) -> None:
        await asyncio.to_thread(self._root.check)

    async def publish(
        self, result: Result, key: str, *, cid: str, replace: bool = False
    ) -> Location:
        require_key(key)
        request = Request(result, key, cid, replace, threading.Event())
        if isinstance(result, Path):
            answer = await self._copy(request)
        else:
            answer = await self._gather(request)
        if isinstance(answer, PublishError):
            raise answer
        return answer

    async def verify(self, location: Location) -> None:
        await asyncio.to_thread(self._root.verify, location)

    def copy(self, location: Location) -> Copy:
        folder = self._root.folder_of(location)
        return FolderCopy(folder, partial(self._root.skeleton, location))

    async def close(self) -> None:
        if self._writer is not None:
            await asyncio.wait([self._writer])
        await asyncio.to_thread(self._root.close)

    async def _copy(self, request: Request) -> Answer:
        """Publish a folder; when the caller gives up, the thread ends before this does.

        Else a copy that takes too long would go on beside the next try, and fill the disk with it.
        """
        copying = asyncio.ensure_future(asyncio.to_thread(self._root.publish, [request]))
        try:
            return (await asyncio.shield(copying))[0]
        finally:
            request.given_up.set()
            await asyncio.wait([copying])

    async def _gather(self, request: Request) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_groups())
        return await future

    async def _write_groups(self) -> None:
        """Write group after group; the first starts when all of this turn have gathered."""
        try:
            while self._waiting:
                group = self._waiting[:MAX_GROUP]
                del self._waiting[:MAX_GROUP]
                await self._write_group(group)
        finally:
            self._writer = None

    async def _write_group(self, group: list[tuple[Request, asyncio.Future[Answer]]]) -> None:
        try:
            requests = [request for request, _ in group]
            answers = await asyncio.to_thread(self._root.publish, requests)
        except Exception as error:  # noqa: BLE001  (each caller gets it; the next group goes on)
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), answer in zip(group, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        finally:
            for _, future in group:
                future.cancel()  # only when this task is cancelled is any still open
