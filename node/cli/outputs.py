"""What a job's commands printed, shard by shard in order: accepted and checked, or as it runs."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import NamedTuple

from nats.aio.client import Client

from events.errors import LotaError
from node.cli.output import write_bytes
from node.results.job_results import JobResults
from node.results.printed import printed
from publishers.pipeline import in_order

AHEAD = 8
"""Streams that are begun before their turn: most are short, and asking takes the time."""

Write = Callable[[bytes], None]


class Stream(NamedTuple):
    """One shard's `stdout` or `stderr`, what it is written to, and from which byte on."""

    shard: int
    name: str
    write: Write
    offset: int = 0


class _Begun(NamedTuple):
    """A stream with its first chunk, or why there is none."""

    stream: Stream
    first: bytes
    rest: AsyncGenerator[bytes, None]
    problem: str


async def print_outputs(client: Client, results: JobResults) -> list[str]:
    """Print every judged shard's stdout to stdout and its stderr to stderr, raw.

    Returns a line for each output that nobody gives any more.
    """
    judged = [
        index
        for index, shard in enumerate(results.job.shards)
        if shard.verdict is not None and shard.verdict.claim is not None
    ]
    streams = (
        Stream(index, name, write)
        for index in judged
        for name, write in (("stdout", write_bytes), ("stderr", _write_error))
    )
    return await print_streams(client, results, streams)


async def print_streams(
    client: Client, results: JobResults, streams: Iterable[Stream]
) -> list[str]:
    """Write streams one after the other; return a line for each that is missing or breaks off.

    Of a shard without an accepted result, it is what a node says its command has printed so far.
    """

    async def begin(stream: Stream) -> _Begun:
        rest = printed(client, results, stream.shard, stream.name, offset=stream.offset)
        try:
            return _Begun(stream, await anext(rest, b""), rest, "")
        except LotaError as error:
            return _Begun(stream, b"", rest, error.what)

    problems: list[str] = []
    async with aclosing(in_order(_each(streams), begin, ahead=AHEAD)) as all_begun:
        async for begun in all_begun:
            problem = begun.problem or await _print(begun)
            if problem:
                stream = begun.stream
                problems.append(f"no {stream.name} of shard {stream.shard}: {problem}")
    return problems


async def _each(streams: Iterable[Stream]) -> AsyncGenerator[Stream, None]:
    for stream in streams:
        yield stream


async def _print(begun: _Begun) -> str:
    """Write a stream to its end; return why it breaks off, or ""."""
    async with aclosing(begun.rest) as rest:
        await asyncio.to_thread(begun.stream.write, begun.first)
        try:
            async for chunk in rest:
                await asyncio.to_thread(begun.stream.write, chunk)
        except LotaError as error:
            return f"it breaks off: {error.what}"
    return ""


def _write_error(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()
