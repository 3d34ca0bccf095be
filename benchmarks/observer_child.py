"""One process of the benchmark `observer`: folds a server's log, and then looks back.

    python -m benchmarks.observer_child plain|observe URL FOLDER
    python -m benchmarks.observer_child look URL FOLDER POSITION...

Prints a line of JSON: what it took, in seconds and in bytes. `plain` is a runner with the five read
models of a requester. `look` starts on what `observe` has left, and looks at positions.
"""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request

from events.connection import connect
from events.jetstream import History, open_log
from node.observer.observer import Observer
from node.web.metrics import metrics_route
from node.web.process_metrics import ProcessMetrics
from projections.rebuilding import rebuild

KIB = 1024
SCRAPES = 20


async def plain(url: str, folder: Path) -> dict[str, Any]:
    """Build a requester's read models from nothing."""
    client = await connect(url, name="bench")
    log = await open_log(client)
    began = time.perf_counter()
    await rebuild(log, folder / "plain.db")
    took, cpu = time.perf_counter() - began, time.process_time()
    await log.close()
    await client.close()
    return {"seconds": took, "cpu_seconds": cpu}


async def observe(url: str, folder: Path, positions: list[int]) -> dict[str, Any]:
    """Catch up, look at positions, and say how long each took."""
    client = await connect(url, name="bench")
    log = await open_log(client)
    history = History(client)
    began = time.perf_counter()
    looks = []
    async with Observer.open(log, folder, history.position_since) as observer:
        await observer.ready.wait()
        took, cpu = time.perf_counter() - began, time.process_time()
        for position in positions:
            began = time.perf_counter()
            past = await observer.at(position)
            looks.append(time.perf_counter() - began)
            assert past.position == position
        began = time.perf_counter()
        await observer.jobs(past=await observer.at(None), limit=50)
        page = time.perf_counter() - began
        scrapes = [await scrape(observer, ProcessMetrics(client)) for _ in range(SCRAPES)]
    await history.close()
    await log.close()
    await client.close()
    return {"seconds": took, "cpu_seconds": cpu, "looks": looks, "page": page, "scrapes": scrapes}


async def scrape(observer: Observer, process: ProcessMetrics) -> float:
    """Return how long an answer with all metrics takes, from the request to its bytes."""
    began = time.perf_counter()
    request = Request({"type": "http", "method": "GET", "headers": []})
    answer = await metrics_route(observer, process).endpoint(request)
    took = time.perf_counter() - began
    assert b"lota_stage_seconds_bucket" in answer.body
    return took


def main() -> None:
    """Do what the arguments say."""
    what, url, folder, *positions = sys.argv[1:]
    if what == "plain":
        said = asyncio.run(plain(url, Path(folder)))
    else:
        said = asyncio.run(observe(url, Path(folder), [int(at) for at in positions]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    print(json.dumps({**said, "peak_bytes": peak}), flush=True)


if __name__ == "__main__":
    main()
