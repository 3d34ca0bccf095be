"""Copy simulated logs into a real server and out again: python -m tests.integration.import_sweep.

Each log is exported, imported, audited on the server (`lota audit`) and exported from the twin. The
audit must name the intruder and the liars and nobody else, and both files must be the same bytes.
"""

import argparse
import asyncio
import contextlib
import io
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from nats.aio.client import Client

from events.archive.exporting import write_export
from events.archive.files import in_thread, writing
from events.archive.lines import Header, Stored
from events.connection import connect
from events.jetstream import History, import_file, open_blobs
from events.log import EVERYTHING
from node.cli.main import main as command
from node.server import EmbeddedServer
from tests.events.archive.logs import CREATED, export
from tests.simulation.world import Plan, World


class Simulated(NamedTuple):
    """The log of a wild network, and who does not play by the rules there."""

    messages: list[Stored]
    suspects: set[str]


def simulated(seed: int) -> Simulated:
    """Run a wild network; an id that it stored twice stands in its log twice."""
    world = World(Plan(seed=seed))
    world.run()
    records = world.wire.log.records(limit=sys.maxsize)
    ids = {position: name for name, position in world.wire.log._ids.items()}
    messages = [
        Stored(
            position=record.position,
            subject=record.subject,
            time=CREATED,
            id=ids.get(record.position, ""),
            body=record.body,
        )
        for record in records
    ]
    return Simulated(messages, world.suspects)


def audit(url: str, suspects: set[str]) -> int:
    """Audit the server's log as a user does, and return how many seals were proved."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = command(["audit", "--server", url, "-o", "json"])
    report = json.loads(printed.getvalue())
    authors = {finding["author"] for finding in report["findings"]}
    assert authors <= suspects, report["findings"]
    assert code == (1 if authors else 0)
    return int(report["proved"]["seals"])


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


class Swept(NamedTuple):
    """How many events there were, and how many seals the audits proved."""

    events: int
    seals: int


async def sweep(logs: int, start: int) -> Swept:
    """Do it for so many seeds and return how much there was."""
    events = seals = 0
    with TemporaryDirectory() as name:
        async with EmbeddedServer(Path(name) / "server") as server:
            client = await connect(server.url, name="sweep")
            for seed in range(start, start + logs):
                messages, suspects = await asyncio.to_thread(simulated, seed)
                await round_trip(client, Path(name), messages)
                seals += await asyncio.to_thread(audit, server.url, suspects)
                await client.request("$JS.API.STREAM.DELETE.LOTA", timeout=5)
                events += len(messages)
            await client.close()
    return Swept(events, seals)


def main() -> None:
    """Sweep, and say how much there was; the first difference raises."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.import_sweep")
    parser.add_argument("--logs", type=int, default=200, help="how many logs to make")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    args = parser.parse_args()
    began = time.perf_counter()
    events, seals = asyncio.run(sweep(args.logs, args.start))
    spent_s = time.perf_counter() - began
    print(f"{args.logs} logs, {events:,} events, in {spent_s:.0f} s: all came back the same")
    print(f"{seals:,} seals proved by lota audit, and nobody accused but who cheats")


if __name__ == "__main__":
    main()
