"""One process of the benchmark `restart`: builds read models anew, or is a node that starts.

    python -m benchmarks.long_log_child rebuild URL FILE
    python -m benchmarks.long_log_child requester|compute URL FOLDER

Prints a line of JSON when it is done or ready: the most memory that it took so far, in bytes. A
node then waits for a line: "stop" ends it in good order, anything else at once.
"""

import asyncio
import json
import os
import resource
import sys
from pathlib import Path

from events.connection import connect
from events.jetstream import open_log
from projections.rebuilding import rebuild

COMPUTE = "n1"
"""The name of the node that the log's jobs have their bids from."""
KIB = 1024


def say() -> None:
    """Tell whoever waits."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    print(json.dumps({"peak_bytes": peak}), flush=True)


async def build(url: str, file: Path) -> None:
    """Build all read models from nothing."""
    client = await connect(url, name="bench")
    log = await open_log(client)
    await rebuild(log, file)
    await log.close()
    await client.close()
    say()


async def serve(name: str, url: str, folder: Path) -> None:
    """Start a node and end it as told."""
    # Whoever builds read models needs no more memory than that takes.
    from benchmarks.hosts import config  # noqa: PLC0415
    from node.host import Host  # noqa: PLC0415

    async with Host(config(name, folder, url, 1)):
        say()
        if (await asyncio.to_thread(sys.stdin.readline)).strip() != "stop":
            os._exit(0)


def main() -> None:
    """Do what the arguments say."""
    what, url, path = sys.argv[1:]
    if what == "rebuild":
        asyncio.run(build(url, Path(path)))
    else:
        asyncio.run(serve(what if what == "requester" else COMPUTE, url, Path(path)))


if __name__ == "__main__":
    main()
