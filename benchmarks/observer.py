"""The observer on a log of a million events: following it, starting again, looking back.

The log is `long_log`'s, without its large job and with a small crowd. The observer's fold is beside
that of a requester in the same run, which keeps the five read models alone.
"""

import asyncio
import json
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from benchmarks.client import client, per_s
from benchmarks.figures import Figure, Limit, Peer
from benchmarks.jobs import JUDGED
from benchmarks.long_log import long_log, store
from benchmarks.network import network
from events.connection import connect
from events.jetstream import open_log
from node.server import EmbeddedServer

EVENTS = 1_000_000
CROWD = 200
LOOKS = 40
ROUNDS = 3
WARM_UP = 500
JOBS = 3_000
MB = 1e6

READY = Limit(1.0, at_most=True)
LOOK = Limit(0.3, at_most=True)
PAGE = Limit(0.05, at_most=True)
SCRAPE = Limit(0.05, at_most=True)
SHARE = Limit(0.1, at_most=True)
MEMORY_MB = Limit(300.0, at_most=True)


async def child(what: str, url: str, folder: Path, *positions: int) -> dict[str, Any]:
    """Run a child and return what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.observer_child", what, url, str(folder), *map(str, positions)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{what} failed")
    said: dict[str, Any] = json.loads(out)
    return said


async def measure() -> AsyncIterator[Figure]:
    """Yield what following, starting and looking back take, and what it takes from a network."""
    chance = Random(5)
    positions = [chance.randint(1, EVENTS) for _ in range(LOOKS)]
    with tempfile.TemporaryDirectory(prefix="lota-bench-") as name:
        folder = Path(name)
        async with EmbeddedServer(folder / "nats") as server:
            connection = await connect(server.url, name="bench")
            log = await open_log(connection)
            await store(connection, long_log(EVENTS, crowd=CROWD, large=0))
            log_bytes = await _bytes_of(connection)
            plain = await child("plain", server.url, folder)
            first = await child("observe", server.url, folder)
            again = await child("look", server.url, folder, *positions)
            await log.close()
            await connection.close()
        yield Figure(
            what=f"the observer from nothing, {EVENTS:,} events",
            value=EVENTS / first["seconds"],
            unit="events/s",
            peer=Peer(
                name="a requester's read models, by processor time",
                value=EVENTS / plain["seconds"],
                ratio=plain["cpu_seconds"] / first["cpu_seconds"],
            ),
        )
        yield Figure(
            what="its start on what it kept", value=again["seconds"], unit="s", limit=READY
        )
        looks = sorted(again["looks"])
        yield Figure(what="the network at any position, p50", value=median(looks), unit="s")
        yield Figure(what="the same, the slowest", value=looks[-1], unit="s", limit=LOOK)
        yield Figure(what="a page of 50 jobs", value=again["page"], unit="s", limit=PAGE)
        scrape = median(again["scrapes"])
        yield Figure(what="a scrape of /metrics, p50", value=scrape, unit="s", limit=SCRAPE)
        yield Figure(
            what="keyframes, as a share of the log's bytes",
            value=_frames_bytes(folder) / log_bytes,
            unit="",
            limit=SHARE,
        )
        yield Figure(
            what="memory of the observer",
            value=first["peak_bytes"] / MB,
            unit="MB",
            limit=MEMORY_MB,
        )
    without, beside = await _rates()
    yield Figure(
        what="noop jobs with the dashboard of lota dev beside them",
        value=median(beside),
        unit="jobs/s",
        peer=Peer(
            name="without it",
            value=median(without),
            ratio=median(now / then for now, then in zip(beside, without, strict=True)),
        ),
    )


async def _rates() -> tuple[list[float], list[float]]:
    """Return jobs a second without and with a dashboard beside the network, in turn."""
    rates: tuple[list[float], list[float]] = [], []
    for _ in range(ROUNDS):
        for number, shown in enumerate((False, True)):
            async with network(2, dashboard=shown) as server, client(server.url) as made:
                await per_s(made, JUDGED, WARM_UP)
                rates[number].append(await per_s(made, JUDGED, JOBS))
    return rates


async def _bytes_of(client: Any) -> int:
    info = await client.jetstream().stream_info("LOTA")
    return int(info.state.bytes)


def _frames_bytes(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "keyframes.db")) as file:
        ((size,),) = file.execute("SELECT sum(size) FROM frames")
    return int(size)
