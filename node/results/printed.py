"""What one shard's command printed: accepted and checked, or as far as it has come."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from nats.aio.client import Client

from events.commitment import execution_id
from events.errors import LotaError, NotFound
from node.results.job_results import JobResults
from node.rpc import read_result
from projections.state import OPEN, Execution
from publishers.reading import fetch


async def printed(
    client: Client, results: JobResults, index: int, name: str, *, offset: int = 0
) -> AsyncGenerator[bytes, None]:
    """Give the `stdout` or `stderr` of a shard from a byte on.

    Of a shard without an accepted result, it is what a node says that its command has printed so
    far. Raises NotFound when nobody has any, and LotaError when it breaks off.
    """
    shard = results.job.shards[index]
    if shard.verdict is None or shard.verdict.claim is None:
        async with aclosing(_unchecked(client, results, index, name, offset)) as chunks:
            async for chunk in chunks:
                yield chunk
        return
    opened = await results.shard(index)
    try:
        part = fetch(opened.copy, opened.claim.cid, name, offset=offset)
        async with aclosing(part) as chunks:
            async for chunk in chunks:
                yield chunk
    finally:
        await opened.close()


async def _unchecked(
    client: Client, results: JobResults, index: int, name: str, offset: int
) -> AsyncGenerator[bytes, None]:
    """Give what the first node that answers says; accepted ones, then running ones come first."""
    executions = results.job.shards[index].executions
    said: list[str] = []
    for attempt in sorted(range(len(executions)), key=lambda n: (_rank(executions[n]), n)):
        node = executions[attempt].node
        execution = execution_id(results.job.id, index, attempt)
        at = offset
        try:
            while True:
                chunk = await read_result(client, node, execution, name, offset=at)
                yield chunk.data
                at += len(chunk.data)
                if at >= chunk.size_bytes:
                    return
                if not chunk.data:
                    raise LotaError(f"node {node} sent {at:,} of {chunk.size_bytes:,} bytes")
        except LotaError as error:
            if at > offset:
                raise
            said.append(f"node {node}: {error.what}")
    raise NotFound(
        "; ".join(said) or "it has not run yet", hint="ask again when it runs, or has ended"
    )


def _rank(execution: Execution) -> int:
    if execution.state == "accepted":
        return 0
    return 1 if execution.state in OPEN else 2
