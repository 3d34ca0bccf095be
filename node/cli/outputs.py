"""What a job's commands printed, from whoever holds it, shard by shard in order."""

import asyncio
import sys
from collections.abc import Callable

from nats.aio.client import Client

from events.errors import LotaError
from node.cli.holders import holders
from node.cli.output import write_bytes
from projections.state import Job


async def print_outputs(client: Client, job: Job) -> list[str]:
    """Print every judged shard's stdout to stdout and its stderr to stderr, raw.

    Returns a line for each output that nobody gives any more.
    """
    missing: list[str] = []
    for index, shard in enumerate(job.shards):
        if shard.verdict is None or not shard.verdict.accepted:
            continue
        for name, write in (("stdout", write_bytes), ("stderr", _write_error)):
            try:
                problem = await print_stream(client, job, index, name, write)
            except LotaError as error:
                problem = f"{name} of shard {index}: {error.what}"
            if problem:
                missing.append(problem)
    return missing


async def print_stream(
    client: Client, job: Job, index: int, stream: str, write: Callable[[bytes], None]
) -> str:
    """Write one shard's stream from the first who gives it; return why there is none, or "".

    Raises LotaError when it breaks off in the middle.
    """
    said: list[str] = []
    for holder in holders(client, job, index):
        written = False
        try:
            async for chunk in holder.stream(stream):
                written = True
                await asyncio.to_thread(write, chunk)
        except LotaError as error:
            if written:
                raise
            said.append(f"{holder.name}: {error.what}")
        else:
            return ""
    return f"no {stream} of shard {index}: {'; '.join(said) or 'it has not run yet'}"


def _write_error(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()
