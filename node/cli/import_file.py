"""`lota events import`: a twin of a log, made from an export."""

from pathlib import Path

from node.cli.output import note
from node.cli.server import Server, connected_client, find_server


async def import_file(file: Path, /, *, server: Server | None = None) -> None:
    """Make a server's empty log a twin of an exported one: the same events, to be looked at.

    The file is checked as a whole before anything is stored. A twin takes no jobs: requesters that
    are attached to it look, and decide nothing. After a failure the server is as it was.

    Example: lota events import log.jsonl.zst --server nats://127.0.0.1:4223

    Parameters
    ----------
    file
        What `lota events export` wrote.
    """
    from events.connection import without_login
    from events.jetstream import import_file as import_into
    from node.cli.event_progress import EventProgress

    async with connected_client(server) as client:
        with EventProgress("checking") as progress:
            done = await import_into(
                client,
                file,
                begun=lambda count: progress.begin("importing", count),
                progress=progress.add,
            )
    where = without_login(find_server(server).context.server)
    note(
        f"lota: {where} holds a twin of {done.events:,} event(s) and {done.blobs:,} blob(s); "
        "nothing is decided there"
    )
    if done.renumbered:
        note("lota: the export was of a part of a log, so positions differ from those of the first")
