"""`lota events tail` as a command, beside a bare pull loop that throws everything away.

The command decodes each event and holds it against its subject before it prints it. It is timed
from its start on, which takes a few tenths of a second of it.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.figures import Figure, Peer
from benchmarks.long_log import long_log, store
from benchmarks.reader import bare_s
from events.connection import connect
from events.jetstream import open_log
from node.server import EmbeddedServer

EVENTS = 100_000
ROUNDS = 3


async def printed_s(url: str, out: Path, *options: str) -> float:
    """Return the seconds that the command takes to print the whole log into a file."""
    command = [sys.executable, "-m", "node.cli.main", "events", "tail", *options]
    with out.open("wb") as file:
        began = time.perf_counter()
        tailing = await asyncio.create_subprocess_exec(
            *command, stdout=file, env={**os.environ, "LOTA_SERVER": url}
        )
        assert await tailing.wait() == 0
        return time.perf_counter() - began


async def measure() -> AsyncIterator[Figure]:
    """Yield events a second, printed as they are stored and printed for people."""
    bare: list[float] = []
    documents: list[float] = []
    lines: list[float] = []
    with tempfile.TemporaryDirectory(prefix="lota-bench-") as name:
        folder = Path(name)
        async with EmbeddedServer(folder / "nats") as server:
            client = await connect(server.url, name="bench")
            await (await open_log(client)).close()
            await store(client, long_log(EVENTS, crowd=0, large=0))
            for _ in range(ROUNDS):
                bare.append(await bare_s(client, EVENTS))
                documents.append(await printed_s(server.url, folder / "out", "-o", "json"))
                assert (folder / "out").read_bytes().count(b"\n") == EVENTS
            lines.append(await printed_s(server.url, folder / "out"))
            await client.close()
    yield _figure("events tail -o json", documents, bare)
    yield _figure("events tail", lines, bare)


def _figure(what: str, ours: list[float], theirs: list[float]) -> Figure:
    seconds, bare = statistics.median(ours), statistics.median(theirs)
    peer = Peer(name="bare pull loop", value=EVENTS / bare, ratio=bare / seconds)
    return Figure(
        what=f"{what} of {EVENTS:,} events", value=EVENTS / seconds, unit="events/s", peer=peer
    )
