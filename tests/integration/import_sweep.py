"""Copy simulated logs into a real server and out again: python -m tests.integration.import_sweep.

Each log is exported, imported and exported from the twin; both files must be the same bytes.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from nats.aio.client import Client

from events.archive.exporting import write_export
from events.archive.files import in_thread, writing
from events.archive.lines import Header, Stored
from events.connection import connect
from events.jetstream import History, import_file, open_blobs
from events.log import EVERYTHING
from node.server import EmbeddedServer
from tests.events.archive.logs import CREATED, export
from tests.simulation.world import Plan, World


def simulated(seed: int) -> list[Stored]:
    """Return the log of a wild network; an id that it stored twice stands there twice."""
    world = World(Plan(seed=seed))
    world.run()
    records = world.wire.log.records(limit=sys.maxsize)
    ids = {position: name for name, position in world.wire.log._ids.items()}
    return [
        Stored(
            position=record.position,
            subject=record.subject,
            time=CREATED,
            id=ids.get(record.position, ""),
            body=record.body,
        )
        for record in records
    ]


async def round_trip(client: Client, folder: Path, messages: list[Stored]) -> None:
    """Import messages into a server without a log, and see that its export is theirs."""
    there, back = folder / "there.jsonl", folder / "back.jsonl"
    there.write_bytes(b"".join(export(messages)))
    imported = await import_file(client, there)
    assert not imported.renumbered
    history = History(client)
    first, last = await history.bounds()
    header = Header(stream="LOTA", created=CREATED, first=first, last=last)
    async with in_thread(writing(back)) as file:
        stored = history.read(EVERYTHING, first=first, last=last)
        await write_export(file, header, stored, await open_blobs(client))
    await history.close()
    assert back.read_bytes() == there.read_bytes()


async def sweep(logs: int, start: int) -> int:
    """Do it for so many seeds and return how many events there were."""
    events = 0
    with TemporaryDirectory() as name:
        async with EmbeddedServer(Path(name) / "server") as server:
            client = await connect(server.url, name="sweep")
            for seed in range(start, start + logs):
                messages = await asyncio.to_thread(simulated, seed)
                await round_trip(client, Path(name), messages)
                await client.request("$JS.API.STREAM.DELETE.LOTA", timeout=5)
                events += len(messages)
            await client.close()
    return events


def main() -> None:
    """Sweep, and say how much there was; the first difference raises."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.import_sweep")
    parser.add_argument("--logs", type=int, default=200, help="how many logs to make")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    args = parser.parse_args()
    began = time.perf_counter()
    events = asyncio.run(sweep(args.logs, args.start))
    spent_s = time.perf_counter() - began
    print(f"{args.logs} logs, {events:,} events, in {spent_s:.0f} s: all came back the same")


if __name__ == "__main__":
    main()
