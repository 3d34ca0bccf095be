"""Fetching the results of a job's shards into a folder: each for itself, or merged.

What goes wrong with one shard is written down and holds up no other. A disk that fails holds up
all. Nothing is gathered: entries are walked as they come, and a few files are under way at a time.
"""

import asyncio
import errno
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Literal, NamedTuple

from events.errors import ContentError, LotaError
from node.results.job_results import JobResults, ShardResult
from node.results.layout import laid_out, laid_out_folder
from node.results.merging import Found, merged
from node.results.placing import PARTS, Origin, Placing
from publishers.reading import Entry, entries
from publishers.unixfs import tree_cid

Merge = Literal["append", "layout"]

SHARDS_AT_ONCE = 4
FILES_AT_ONCE = 16
FAILURES_MAX = 5
"""After so many files that nobody gives, a shard is given up on."""

PROBLEMS_MAX = 20
"""So many are told of; the rest is counted."""

_TREE = {"stdout", "stderr", "exit_code", "outputs"}
"""What every result has: a folder without it is not worth hashing."""

_NAMES = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
"""What a disk says of a name that it cannot hold."""


class Progress(NamedTuple):
    """Called with how many more bytes, files and shards are there."""

    bytes: Callable[[int], None]
    files: Callable[[int], None]
    shards: Callable[[int], None]


class Download:
    """One fetch of several shards into `folder`.

    `failures` counts what is not there in the end, `problems` tells of the first and why; `matched`
    counts the files that were asked for.
    """

    def __init__(
        self, results: JobResults, folder: Path, glob: re.Pattern[str] | None, progress: Progress
    ) -> None:
        self.failures = 0
        self.matched = 0
        self.problems: list[str] = []
        self._results = results
        self._folder = folder
        self._glob = glob
        self._progress = progress
        self._placing = Placing(folder, progress.bytes)
        self._room = asyncio.Semaphore(FILES_AT_ONCE)
        self._whole: list[tuple[int, int, int]] = []

    async def run(self, indexes: Sequence[int], merge: Merge | None) -> None:
        """Fetch these shards. Raises LotaError when nothing can go on; repeat it to go on."""
        await self._guarded(asyncio.to_thread(self._placing.begin))
        try:
            if merge is None:
                await self._guarded(self._apart(indexes))
            else:
                await self._guarded(self._merged(indexes, merge))
            await self._guarded(self._placing.flush())
            for problem in self._placing.problems:
                self._note(str(problem))
            for told in self._whole:
                await asyncio.to_thread(self._check_whole, *told)
        except BaseException:
            self._placing.end(done=False)
            raise
        await asyncio.to_thread(self._placing.end, done=not self.failures)

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Raise the first failure of many as itself, and that of the disk as ours."""
        try:
            await work
        except ExceptionGroup as group:
            raise _as_ours(_first(group), self._folder) from None
        except OSError as error:
            raise _as_ours(error, self._folder) from error

    def _problem(self, shard: int, error: LotaError) -> None:
        text = str(error)
        self._note(text if f"shard {shard}" in text else f"shard {shard}: {text}")

    def _note(self, problem: str) -> None:
        self.failures += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    # Shard by shard

    async def _apart(self, indexes: Sequence[int]) -> None:
        work = iter(indexes)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(SHARDS_AT_ONCE, len(indexes))):
                tasks.create_task(self._shards(work))

    async def _shards(self, work: Iterator[int]) -> None:
        for index in work:
            try:
                await self._shard(index)
            except LotaError as error:
                self._problem(index, error)
            self._progress.shards(1)

    async def _shard(self, index: int) -> None:
        shard = await self._results.shard(index)
        if self._glob is None and await asyncio.to_thread(self._is_there, shard):
            self._progress.bytes(shard.claim.dag_size_bytes)
            return
        failures: list[LotaError] = []
        try:
            async with asyncio.TaskGroup() as tasks:
                files, folders = await self._walk(tasks, shard, failures)
        finally:
            await shard.close()
        for failure in failures:
            self._problem(index, failure)
        if self._glob is None and not failures:
            self._whole.append((index, files, folders))

    def _is_there(self, shard: ShardResult) -> bool:
        """Whether all of a shard was fetched before: then nobody needs to be asked for anything."""
        top = self._folder / str(shard.index)
        if not top.is_dir() or not set(os.listdir(top)) >= _TREE:
            return False
        try:
            return tree_cid(top).cid == shard.claim.cid
        except ContentError:
            return False

    async def _walk(
        self, tasks: asyncio.TaskGroup, shard: ShardResult, failures: list[LotaError]
    ) -> tuple[int, int]:
        """Begin to place what is wanted of a shard; return how many files and folders it has."""
        files = folders = 0
        try:
            walk = entries(shard.copy, shard.claim.cid, recursive=True)
            async with aclosing(walk) as found:
                async for entry in found:
                    if len(failures) >= FAILURES_MAX:
                        break
                    path = f"{shard.index}/{entry.path}"
                    if entry.kind == "folder":
                        folders += 1
                        if self._glob is None:
                            await self._placing.folder(path)
                    elif self._wanted(entry):
                        files += 1
                        await self._begin(tasks, path, [Origin(shard.copy, entry)], failures)
        except LotaError as error:
            failures.append(error)
        return files, folders

    def _wanted(self, entry: Entry) -> bool:
        return self._glob is None or self._glob.match(entry.path) is not None

    async def _begin(
        self,
        tasks: asyncio.TaskGroup,
        path: str,
        origins: list[Origin],
        failures: list[LotaError],
    ) -> None:
        """Begin to place a file as soon as there is room for one more."""
        self.matched += 1
        await self._room.acquire()
        put = self._put(path, origins, failures)
        try:
            tasks.create_task(put)
        except RuntimeError:  # another one has failed for good, and the group is ending
            put.close()
            raise

    async def _put(self, path: str, origins: list[Origin], failures: list[LotaError]) -> None:
        """Place one file; its turn was taken by the caller and is given back here."""
        try:
            await self._placing.file(path, origins)
            self._progress.files(1)
        except LotaError as error:
            failures.append(error)
        except OSError as error:
            if error.errno not in _NAMES:
                raise
            what = f"this disk has no such name as {path!r} ({error.strerror})"
            failures.append(LotaError(what, hint="lota result cat reads it without a disk"))
        finally:
            self._room.release()

    def _check_whole(self, index: int, files: int, folders: int) -> None:
        """Find what stands in a shard's folder and is no part of its result."""
        top = self._folder / str(index)
        for _, names, there in os.walk(top):
            files -= len(there)
            folders -= len(names)
        if files < 0 or folders < 0:
            error = LotaError(f"{top} holds something else too", hint="move it away")
            self._problem(index, error)

    # Merged

    async def _merged(self, indexes: Sequence[int], merge: Merge) -> None:
        """Walk all shards side by side: what a path becomes depends on who else has it."""
        failures: list[LotaError] = []
        async with AsyncExitStack() as stack:
            walks = []
            for index in indexes:
                shard = await self._results.shard(index)
                stack.push_async_callback(shard.close)
                walk = entries(shard.copy, shard.claim.cid, recursive=True)
                walks.append((shard, await stack.enter_async_context(aclosing(walk))))
            lay = self._append if merge == "append" else self._lay_out
            groups = await stack.enter_async_context(aclosing(merged(walks)))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            async for group in groups:
                try:
                    await lay(tasks, group, failures)
                except LotaError as error:
                    failures.append(error)
                if len(failures) >= PROBLEMS_MAX:
                    break
        for failure in failures:
            self._note(str(failure))
        self._progress.shards(len(indexes))

    async def _append(
        self, tasks: asyncio.TaskGroup, group: list[Found], failures: list[LotaError]
    ) -> None:
        path = group[0].entry.path
        _refuse_parts(path)
        files = [found for found in group if found.entry.kind == "file"]
        if not files:
            if self._glob is None:
                await self._placing.folder(path)
        elif self._wanted(files[0].entry):
            if len(files) < len(group):
                raise LotaError(
                    f"{path!r} is a file in one shard and a folder in another",
                    hint="--merge layout keeps both",
                )
            origins = [Origin(found.shard.copy, found.entry) for found in files]
            await self._begin(tasks, path, origins, failures)

    async def _lay_out(
        self, tasks: asyncio.TaskGroup, group: list[Found], failures: list[LotaError]
    ) -> None:
        for shard, entry in group:
            _refuse_parts(entry.path)
            if entry.kind == "folder":
                if self._glob is None:
                    await self._placing.folder(laid_out_folder(entry.path, shard.index))
            elif self._wanted(entry):
                path = laid_out(entry.path, shard.index, shared=len(group) > 1)
                await self._begin(tasks, path, [Origin(shard.copy, entry)], failures)


def _refuse_parts(path: str) -> None:
    """Keep what no honest node puts into a result from where our own parts are."""
    if path.split("/", maxsplit=1)[0] == PARTS:
        raise LotaError(f"a result has a folder {PARTS}", hint="fetch it without --merge")


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _as_ours(error: Exception, folder: Path) -> Exception:
    """Return the error to end with: of the disk, one that says what to do."""
    if not isinstance(error, OSError):
        return error
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else folder
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return LotaError(
        f"{place} cannot be written: {error.strerror}",
        hint="what was fetched stays; "
        + ("make room, and repeat it to go on" if full else "mend it, and repeat it to go on"),
    )
