"""What a job's commands printed, shard by shard in order: accepted and checked, or as it runs."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import aclosing

from nats.aio.client import Client

from events.commitment import execution_id
from events.errors import LotaError
from node.cli.output import write_bytes
from node.results.job_results import JobResults
from node.rpc import stream_result
from projections.state import OPEN, Execution
from publishers.reading import fetch

Write = Callable[[bytes], None]


async def print_outputs(client: Client, results: JobResults) -> list[str]:
    """Print every judged shard's stdout to stdout and its stderr to stderr, raw.

    Returns a line for each output that nobody gives any more.
    """
    missing: list[str] = []
    for index, shard in enumerate(results.job.shards):
        if shard.verdict is None or shard.verdict.claim is None:
            continue
        for name, write in (("stdout", write_bytes), ("stderr", _write_error)):
            try:
                problem = await print_stream(client, results, index, name, write)
            except LotaError as error:
                problem = f"{name} of shard {index}: {error.what}"
            if problem:
                missing.append(problem)
    return missing


async def print_stream(
    client: Client, results: JobResults, index: int, stream: str, write: Write, *, offset: int = 0
) -> str:
    """Write one shard's stream from `offset` on; return why there is none, or "".

    Of a shard without an accepted result, it is what a node says its command has printed so far.
    Raises LotaError when it breaks off in the middle.
    """
    shard = results.job.shards[index]
    if shard.verdict is not None and shard.verdict.claim is not None:
        return await _print_accepted(results, index, stream, write, offset)
    attempts = sorted(
        range(len(shard.executions)),
        key=lambda attempt: (_rank(shard.executions[attempt]), attempt),
    )
    said: list[str] = []
    for attempt in attempts:
        node = shard.executions[attempt].node
        name = execution_id(results.job.id, index, attempt)
        written = False
        try:
            async with aclosing(stream_result(client, node, name, stream)) as chunks:
                async for chunk in chunks:
                    written = True
                    await asyncio.to_thread(write, chunk)
        except LotaError as error:
            if written:
                raise
            said.append(f"node {node}: {error.what}")
        else:
            return ""
    return f"no {stream} of shard {index}: {'; '.join(said) or 'it has not run yet'}"


async def _print_accepted(
    results: JobResults, index: int, stream: str, write: Write, offset: int
) -> str:
    opened = await results.shard(index)
    written = False
    try:
        part = fetch(opened.copy, opened.claim.cid, stream, offset=offset)
        async with aclosing(part) as chunks:
            async for chunk in chunks:
                written = True
                await asyncio.to_thread(write, chunk)
    except LotaError as error:
        if written:
            raise
        return f"no {stream} of shard {index}: {error.what}"
    finally:
        await opened.close()
    return ""


def _rank(execution: Execution) -> int:
    if execution.state == "accepted":
        return 0
    return 1 if execution.state in OPEN else 2


def _write_error(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()
