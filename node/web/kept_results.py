"""What a file of a job keeps of its results: the beginnings of outputs, and the names of files.

All of it is read from whoever holds it, with bounds for all that this can be: its time, its size,
and the number of files. What is not there has its reason instead.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, NamedTuple

import msgspec
from nats.aio.client import Client

from events.errors import LotaError
from node.redaction import redacted
from node.results.job_results import JobResults
from node.results.printed import printed
from node.web.api.drawn_result import beginning
from node.web.api.results import result_row
from projections.nodes import Nodes
from projections.state import Job
from publishers.reading import entries

READ_S = 10.0
AT_ONCE = 8
STREAMS = ("stdout", "stderr")
OUTPUT_BYTES_MAX = 64 * 1024
FILES_MAX = 500
"""Of each output, and of each shard."""

ALL_BYTES_MAX = 16 * 1024 * 1024
"""Of a whole file."""

FILE_BYTES = 200
"""What a file takes in a list, roughly."""


class Files(NamedTuple):
    """The files and folders of a result, and whether these are all."""

    entries: Sequence[Mapping[str, Any]]
    whole: bool


class KeptResult(msgspec.Struct):
    """What is kept of a shard: the beginning of each output, by its name, and its files.

    `why` says what is not there, and why; it is empty where nothing is missing.
    """

    outputs: dict[str, Mapping[str, Any]] = {}
    files: Files | None = None
    why: str = ""


class ResultAccess(NamedTuple):
    """The way to those who hold results."""

    client: Client
    results: Callable[[Job, Nodes], AbstractAsyncContextManager[JobResults]]


async def kept_results(
    access: ResultAccess | None, job: Job, nodes: Nodes, *, read_s: float = READ_S
) -> dict[int, KeptResult]:
    """Return what can be had within some seconds, for each shard that some node has run."""
    ran = [index for index, shard in enumerate(job.shards) if shard.executions]
    if access is None:
        why = "the file was made from a log, without its network"
        return {index: KeptResult(why=why) for index in ran}
    kept = {index: KeptResult(why="the file has no room for more") for index in ran}
    todo, under_way = iter(ran), set[int]()
    try:
        async with asyncio.timeout(read_s), access.results(job, nodes) as results:
            reading = _Reading(access.client, results, kept, under_way)
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(reading.run(todo))
    except TimeoutError:
        for index in (*under_way, *todo):
            kept[index].why = f"it had not come when the file was made, after {read_s:g} s"
    except LotaError as error:
        return {index: KeptResult(why=redacted(error.what)) for index in ran}
    return kept


class _Reading:
    """Reads shard after shard, by several at once, while there is room."""

    def __init__(
        self,
        client: Client,
        results: JobResults,
        kept: Mapping[int, KeptResult],
        under_way: set[int],
    ) -> None:
        self._client = client
        self._results = results
        self._kept = kept
        self._under_way = under_way
        self._room_bytes = ALL_BYTES_MAX

    async def run(self, todo: Iterator[int]) -> None:
        while self._room_bytes > 0 and (index := next(todo, None)) is not None:
            self._under_way.add(index)
            kept = self._kept[index]
            try:
                await self._read(index, kept)
                kept.why = ""
            except LotaError as error:
                kept.why = redacted(error.what)
            self._under_way.discard(index)

    async def _read(self, index: int, kept: KeptResult) -> None:
        for name in STREAMS:
            kept.outputs[name] = output = await self._output(index, name)
            self._room_bytes -= len(output["text"])
        verdict = self._results.job.shards[index].verdict
        if verdict is not None and verdict.claim is not None:
            kept.files = await self._files(index)
            self._room_bytes -= FILE_BYTES * len(kept.files.entries)

    async def _output(self, index: int, name: str) -> Mapping[str, Any]:
        data = bytearray()
        async with aclosing(printed(self._client, self._results, index, name)) as chunks:
            async for chunk in chunks:
                data += chunk
                if len(data) > OUTPUT_BYTES_MAX:
                    break
        return beginning(bytes(data), OUTPUT_BYTES_MAX)

    async def _files(self, index: int) -> Files:
        rows: list[Mapping[str, Any]] = []
        shard = await self._results.shard(index)
        try:
            async with aclosing(entries(shard.copy, shard.claim.cid, recursive=True)) as found:
                async for entry in found:
                    if len(rows) == FILES_MAX:
                        return Files(rows, whole=False)
                    rows.append(result_row(entry.path, entry.kind, entry.size_bytes, entry.cid))
        finally:
            await shard.close()
        return Files(rows, whole=True)
