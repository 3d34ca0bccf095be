"""`lota job logs`: what a job's commands print, from whoever holds it."""

from typing import Annotated

from cyclopts import Parameter

from node.cli.output import note, write_bytes
from node.cli.server import Server, connected


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
    from node.cli.live_output import follow_output
    from node.cli.opened_results import results_of
    from node.cli.outputs import Stream, print_streams
    from node.jobs import find_job, load_job, shard_indexes

    stream = "stderr" if stderr else "stdout"
    async with connected(server) as connection:
        name = await find_job(connection.log, job)
        if follow:
            await follow_output(connection.client, connection.log, name, shard, stream, write_bytes)
            return
        client = connection.client
        loaded = await load_job(connection.log, name, with_nodes=True)
        async with results_of(client, loaded.job, loaded.nodes) as results:
            indexes = shard_indexes(loaded.job, shard)
            streams = (Stream(index, stream, write_bytes) for index in indexes)
            missing = await print_streams(client, results, streams)
    for problem in missing:
        note(f"lota: {problem}")
    if missing:
        raise _unavailable(name, len(missing))


def _unavailable(job: str, shards: int) -> Exception:
    from events.errors import NotFound

    return NotFound(
        f"the output of {shards} shard(s) of {job} is not to be had",
        hint="with --follow it is waited for; lota node ls shows who is there",
    )
