"""The output of a job's commands, fetched from the nodes that hold it, shard by shard in order."""

import sys
from collections.abc import AsyncIterator
from typing import BinaryIO

from nats.aio.client import Client

from events.commitment import execution_id
from events.errors import LotaError, NotFound
from node.rpc import stream_result
from projections.state import Job, Shard


async def print_outputs(client: Client, job: Job) -> list[str]:
    """Print every judged shard's stdout to stdout and its stderr to stderr, raw.

    Returns a line for each shard whose output no node gives any more.
    """
    missing: list[str] = []
    for index, shard in enumerate(job.shards):
        if shard.verdict is None or not shard.verdict.accepted:
            continue
        for name, out in (("stdout", sys.stdout.buffer), ("stderr", sys.stderr.buffer)):
            try:
                await _print(client, job, index, shard, name, out)
            except LotaError as error:
                missing.append(f"{name} of shard {index}: {error}")
    return missing


async def _print(
    client: Client, job: Job, index: int, shard: Shard, name: str, out: BinaryIO
) -> None:
    """Take a stream from the first accepted execution whose node answers."""
    written = False
    problem: LotaError = NotFound("no node holds it")
    for attempt in shard.verdict.accepted if shard.verdict is not None else ():
        node = shard.executions[attempt].node
        chunks: AsyncIterator[bytes] = stream_result(
            client, node, execution_id(job.id, index, attempt), name
        )
        try:
            async for chunk in chunks:
                written = True
                out.write(chunk)
            out.flush()
        except LotaError as error:
            if written:
                raise
            problem = error
        else:
            return
    raise problem
