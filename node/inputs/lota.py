"""Results of other jobs as inputs: `lota://JOB`, `lota://JOB/SHARD` and `lota://JOB/SHARD/PATH`.

What a job came to has a CID, so nothing is fetched to list it: a listing names files by theirs.
Nodes fetch the files that their shards need from whichever copy answers, block by block, and what
they stage is what the listing names, or nothing.
"""

import asyncio
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from urllib.parse import quote, unquote

from nats.aio.client import Client

from events.errors import ExecutorError, InvalidInput, LotaError, NotFound, PublishError, WrongUsage
from events.inputs.port import Found, Progress
from events.inputs.reading import FILES_MAX
from events.items import ListedFile
from events.log import Log
from node.jobs import find_job, load_job, shard_indexes
from node.results.address import ResultAddress
from node.results.job_results import JobResults, ShardResult
from node.results.publishers import Credentials
from projections.state import Job
from publishers.reading import entries, fetch, stat

SCHEME = "lota"
JOBS_KEPT_MAX = 4
Files = list[tuple[str, int, str]]
"""(path, size in bytes, CID) of each file."""
AT_A_TIME = 4

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LotaSource:
    """Reads the results of jobs of this network; `warn` is told of copies with wrong bytes."""

    scheme = SCHEME

    def __init__(
        self, log: Log, client: Client, credentials: Credentials, warn: Callable[[str], None]
    ) -> None:
        self._log = log
        self._client = client
        self._credentials = credentials
        self._warn = warn
        self._loaded: OrderedDict[str, asyncio.Task[JobResults]] = OrderedDict()

    async def canonical(self, source: str) -> str:
        address = _address(source)
        job = await self._find(address.job)
        shard = "" if address.shard is None else f"/{address.shard}"
        path = f"/{quote(address.path, errors='surrogateescape')}" if address.path else ""
        return f"{SCHEME}://{job}{shard}{path}"

    async def list(
        self, source: str, matcher: re.Pattern[str], *, progress: Progress | None = None
    ) -> Found:
        address = _address(source)
        results = await self._results(await self._find(address.job))
        found: list[ListedFile] = []
        seen = size_bytes = 0
        for index in _shards(results.job, address.shard):
            prefix = f"{index}/" if address.shard is None else ""
            for path, size, cid in await self._files(results, index, address.path):
                seen += 1
                name = f"{prefix}{path}"
                if not matcher.match(name or address.path.rpartition("/")[2]):
                    continue
                found.append(ListedFile(_utf8(name, source), size, cid))
                size_bytes += size
                if len(found) > FILES_MAX:
                    raise InvalidInput(
                        f"{source} has more than {FILES_MAX:,} files", hint="name a part of it"
                    )
            if progress is not None:
                progress(len(found), size_bytes)
        return Found(tuple(sorted(found, key=lambda file: file.path.encode())), seen)

    async def _files(self, results: JobResults, index: int, path: str) -> Files:
        """Return all files at a path of a shard's result, by their paths below it."""
        try:
            shard = await results.shard(index)
            try:
                top = await stat(shard.copy, shard.claim.cid, path)
                if top.kind == "file":
                    return [("", top.size_bytes, top.cid)]
                start = len(path) + 1 if path else 0
                walk = entries(shard.copy, shard.claim.cid, path, recursive=True)
                async with aclosing(walk) as below:
                    return [
                        (entry.path[start:], entry.size_bytes, entry.cid)
                        async for entry in below
                        if entry.kind == "file"
                    ]
            finally:
                await shard.close()
        except NotFound as error:
            raise InvalidInput(error.what, hint=error.hint) from error
        except PublishError as error:
            raise InvalidInput(
                f"the result of shard {index} of {results.job.id} cannot be read: {error.what}",
                hint=error.hint,
            ) from error

    async def stage(self, source: str, files: Sequence[ListedFile], dest: Path) -> None:
        address = _address(source)
        try:
            results = await self._results(address.job)
        except (InvalidInput, NotFound) as error:
            raise ExecutorError("input_missing", str(error)) from error
        by_shard: dict[int, list[tuple[str, ListedFile]]] = {}
        for file in files:
            shard, path = _place(address, file.path)
            by_shard.setdefault(shard, []).append((path, file))
        for index, listed in by_shard.items():
            try:
                shard_result = await results.shard(index)
            except (NotFound, IndexError) as error:
                raise ExecutorError("input_missing", str(error)) from error
            try:
                await _stage_all(shard_result, listed, dest)
            except ExecutorError:
                # Copies may have come since the job was loaded: another try looks anew.
                await self._forget(address.job)
                raise
            finally:
                await shard_result.close()

    async def close(self) -> None:
        """Let go of the copies that were opened."""
        for job in list(self._loaded):
            await self._forget(job)

    async def _find(self, job: str) -> str:
        try:
            return await find_job(self._log, job)
        except (NotFound, WrongUsage) as error:
            raise InvalidInput(error.what, hint=error.hint) from error

    async def _results(self, job: str) -> JobResults:
        """Load a job once for all who ask; what was accepted does not change."""
        loading = self._loaded.get(job)
        if loading is None:
            loading = self._loaded[job] = asyncio.ensure_future(self._load(job))
            while len(self._loaded) > JOBS_KEPT_MAX:
                await self._forget(next(iter(self._loaded)))
        self._loaded.move_to_end(job)
        try:
            return await asyncio.shield(loading)
        except LotaError:
            await self._forget(job)
            raise

    async def _forget(self, job: str) -> None:
        """Let go of a job; what reads it at the moment fails and is tried again."""
        loading = self._loaded.pop(job, None)
        if loading is None:
            return
        loading.cancel()
        await asyncio.wait([loading])
        if not loading.cancelled() and loading.exception() is None:
            await loading.result().close()

    async def _load(self, job: str) -> JobResults:
        loaded = await load_job(self._log, job, with_nodes=True)
        return await asyncio.to_thread(
            lambda: JobResults(
                loaded.job,
                loaded.nodes,
                client=self._client,
                warn=self._warn,
                credentials=self._credentials,
            )
        )


def _address(source: str) -> ResultAddress:
    try:
        return ResultAddress.parse(unquote(source.removeprefix(f"{SCHEME}://"), errors="strict"))
    except UnicodeDecodeError:
        hint = "name its folder, or a file or folder whose name is"
        raise InvalidInput(f"the path of {source} is not UTF-8", hint=hint) from None
    except WrongUsage as error:
        raise InvalidInput(
            f"{source} names no result: {error}", hint="write lota://JOB/SHARD/PATH"
        ) from error


def _shards(job: Job, shard: int | None) -> list[int]:
    """Return the shards that are meant; of a whole job only once it is completed."""
    if shard is None and job.state != "completed":
        raise InvalidInput(
            f"job {job.id} has no whole result: it is {job.state}",
            hint=f"lota job wait {job.id}, or name a shard: lota://{job.id}/SHARD",
        )
    try:
        return shard_indexes(job, shard)
    except NotFound as error:
        raise InvalidInput(error.what, hint=error.hint) from error


def _utf8(path: str, source: str) -> str:
    """Return a path that an event can hold. Raises InvalidInput."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        hint = "leave it out: by a glob, or as lota://JOB/SHARD/PATH of what is meant"
        raise InvalidInput(f"the name {shown} in {source} is not UTF-8", hint=hint) from None
    return path


def _place(address: ResultAddress, path: str) -> tuple[int, str]:
    """Return the shard and the path in its result that a listed path stands for."""
    shard = address.shard
    if shard is None:
        first, _, path = path.partition("/")
        if not first.isdecimal():
            raise ExecutorError("input_denied", f"{first!r} is no shard of {address.job}")
        shard = int(first)
    return shard, "/".join(part for part in (address.path, path) if part)


async def _stage_all(shard: ShardResult, listed: list[tuple[str, ListedFile]], dest: Path) -> None:
    work = iter(listed)
    staging = [asyncio.ensure_future(_stage(shard, work, dest)) for _ in range(AT_A_TIME)]
    try:
        await asyncio.gather(*staging)
    finally:
        for task in staging:
            task.cancel()
        await asyncio.wait(staging)


async def _stage(shard: ShardResult, work: Iterator[tuple[str, ListedFile]], dest: Path) -> None:
    for path, file in work:
        target = dest / file.path if file.path else dest
        try:
            entry = await stat(shard.copy, shard.claim.cid, path)
            if (entry.kind, entry.cid, entry.size_bytes) != ("file", file.digest, file.size_bytes):
                raise ExecutorError(
                    "input_changed", f"{path!r} is not what was listed", hint="submit it again"
                )
            await _write(shard, path, target)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ExecutorError(
                "stage", f"{target} cannot be written: {reason}", hint="free some space"
            ) from None
        except LotaError as error:
            if isinstance(error, ExecutorError):
                raise
            raise ExecutorError("input_unreadable", str(error)) from error


async def _write(shard: ShardResult, path: str, target: Path) -> None:
    file = await asyncio.to_thread(_create, target)
    try:
        async with aclosing(fetch(shard.copy, shard.claim.cid, path)) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(_write_all, file, chunk)
    finally:
        os.close(file)


def _create(target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        target.unlink()
    return os.open(target, _NEW_FILE, 0o444)


def _write_all(file: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(file, rest) :]
