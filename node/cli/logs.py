"""`lota job logs`: what a job's commands print, from whoever holds it."""

import asyncio
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from node.cli.output import note, write_bytes
from node.cli.server import Connection, Server, connected

if TYPE_CHECKING:
    from projections.state import Job


async def logs(
    job: str,
    /,
    *,
    shard: int | None = None,
    stderr: Annotated[bool, Parameter(negative=())] = False,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative=())] = False,
    server: Server | None = None,
) -> None:
    """Print the stdout of a job's shards, raw, in the order of the shards.

    A shard that has a verdict is printed as accepted; one that runs, as far as it has come.

    Example: lota job logs 01kb2m --follow

    Parameters
    ----------
    job
        The job's id, or the start of it.
    shard
        Only this shard; they count from 0.
    stderr
        Print stderr instead.
    follow
        Wait for shards that have not ended, and print what comes as it comes.
    """
    from node.cli.jobs import find_job, load_job, shard_indexes
    from node.cli.live_output import follow_output

    stream = "stderr" if stderr else "stdout"
    async with connected(server) as connection:
        name = await find_job(connection.log, job)
        if follow:
            await follow_output(connection.client, connection.log, name, shard, stream, write_bytes)
            return
        found = (await load_job(connection.log, name)).job
        missing = [
            problem
            for index in shard_indexes(found, shard)
            if (problem := await _print(connection, found, index, stream))
        ]
    for problem in missing:
        note(f"lota: {problem}")
    if missing:
        raise _unavailable(name, len(missing))


async def _print(connection: Connection, job: "Job", index: int, stream: str) -> str:
    """Print one shard's stream from the first who gives it; return why there is none."""
    from events.errors import LotaError
    from node.cli.holders import holders

    said = []
    for holder in holders(connection.client, job, index):
        written = False
        try:
            async for chunk in holder.stream(stream):
                written = True
                await asyncio.to_thread(write_bytes, chunk)
        except LotaError as error:
            if written:
                raise
            said.append(f"{holder.name}: {error.what}")
        else:
            return ""
    return f"no {stream} of shard {index}: {'; '.join(said) or 'it has not run yet'}"


def _unavailable(job: str, shards: int) -> Exception:
    from events.errors import NotFound

    return NotFound(
        f"the output of {shards} shard(s) of {job} is not to be had",
        hint="with --follow it is waited for; lota node ls shows who is there",
    )
