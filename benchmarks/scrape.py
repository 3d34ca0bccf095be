"""What a scrape of `/metrics` takes on a long log, with many jobs open."""

import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

from starlette.requests import Request

from benchmarks.figures import Figure, Limit
from benchmarks.long_log import CROWD, LARGE_SHARDS, long_log, store
from events.connection import connect
from events.jetstream import History, open_log
from node.observer.observer import Observer
from node.server import EmbeddedServer
from node.web.metrics import metrics_route
from node.web.process_metrics import ProcessMetrics

EVENTS = 200_000
SCRAPES = 50
WITHIN_MS = Limit(50.0, at_most=True)


async def measure() -> AsyncIterator[Figure]:
    """Yield the milliseconds of a scrape, as a median."""
    with tempfile.TemporaryDirectory(prefix="lota-bench-") as name:
        async with EmbeddedServer(Path(name) / "nats") as server:
            client = await connect(server.url, name="bench")
            log = await open_log(client)
            await store(client, long_log(EVENTS))
            history = History(client)
            folder = Path(name) / "observer"
            folder.mkdir()
            async with Observer.open(log, folder, history.position_since) as observer:
                await observer.ready.wait()
                took = [await _scrape(observer, ProcessMetrics(client)) for _ in range(SCRAPES)]
            await history.close()
            await log.close()
            await client.close()
    what = f"scrape of /metrics with {CROWD:,} jobs and {LARGE_SHARDS:,} shards open, p50"
    yield Figure(what=what, value=median(took), unit="ms", limit=WITHIN_MS)


async def _scrape(observer: Observer, process: ProcessMetrics) -> float:
    """Return how many milliseconds an answer takes, from the request to its bytes."""
    began = time.perf_counter()
    request = Request({"type": "http", "method": "GET", "headers": []})
    answer = await metrics_route(observer, process).endpoint(request)
    assert answer.status_code == 200
    assert b"lota_stage_seconds_bucket" in answer.body
    return (time.perf_counter() - began) * 1_000
