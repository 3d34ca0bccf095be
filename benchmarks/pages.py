"""The dashboard in a browser: its first paint on a log of a million events, and live updates.

`lota ui` serves the pages from a process of its own. One update is of the whole first page, with
1,500 points in each of its lines, the others are of the page of a large job: all that the main
thread of the browser does from the change to the paint, the reading of the answer included, and all
that the loop of the server does for it.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
from playwright.async_api import Browser, Page

from benchmarks.figures import Figure, Limit, Unavailable
from benchmarks.long_log import long_log, store
from events.connection import connect
from events.jetstream import open_log
from node.server import EmbeddedServer
from tests.node.web.pages.documents import LAST, statistics
from tests.node.web.pages.given_server import GivenServer
from tests.servers.chromium import NAME, chromium

EVENTS = 1_000_000
CROWD = 200
POINTS = 1_500
LOADS = 7
UPDATES = 15
SHARDS_OF = (1_000, 10_000)
MS = 1000.0

Tell = Callable[[str], Awaitable[dict[str, float]]]

PAINT = Limit(500.0, at_most=True)
UPDATE = Limit(50.0, at_most=True)
DRAWN = "main[aria-busy=false]"
CHANGED = """new Promise(done => new MutationObserver((_, watching) => {
    watching.disconnect(); done();
}).observe(document.querySelector('%s'), {subtree: true, characterData: true}))"""
"""A part of the page has new values; it costs the page nothing to tell."""
CHART = "figure .legend"
SHARDS = ".cells .note"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


async def measure() -> AsyncIterator[Figure]:
    """Yield what a browser takes to paint a page and to bring it up to date."""
    if shutil.which(NAME) is None:
        raise Unavailable(f"there is no {NAME}")
    async with chromium() as browser:
        async with GivenServer() as given:
            updates = await _updates(browser, given)
        yield Figure(
            what=f"a live update of {POINTS:,} points in each line, main thread, p50",
            value=median(updates),
            unit="ms",
            limit=UPDATE,
        )
        yield Figure(what="the same, the quickest", value=min(updates), unit="ms")
        for shards in SHARDS_OF:
            job = await _job_updates(browser, shards)
            what = f"a live update of a job of {shards:,} shards"
            for where, taken, limit in (
                ("main thread", [update.page_ms for update in job], UPDATE),
                ("the server's loop", [update.loop_ms for update in job], UPDATE),
                ("all threads of the server", [update.server_ms for update in job], None),
            ):
                value = median(taken)
                yield Figure(what=f"{what}, {where}, p50", value=value, unit="ms", limit=limit)
        async with _served() as url:
            loads = [await _load(browser, url) for _ in range(LOADS)]
        yield Figure(
            what=f"first paint of the network's page, {EVENTS:,} events, p50",
            value=median(painted for painted, _ in loads),
            unit="ms",
            limit=PAINT,
        )
        yield Figure(
            what="the same page drawn whole, p50",
            value=median(drawn for _, drawn in loads),
            unit="ms",
        )


async def _updates(browser: Browser, given: GivenServer) -> list[float]:
    """Return how long the main thread worked on each of some updates of the network's page."""
    given.answers["/statistics"] = statistics(POINTS)
    page = await browser.new_page()
    await page.goto(f"{given.url}/ui/#/network?points={POINTS}")
    worked_ms = await _worked(page)

    found = []
    for number in range(1, UPDATES + 1):
        series = statistics(POINTS)
        series["series"]["jobs.submitted"][-1] = 1_000 + number
        given.answers["/statistics"] = series
        drawn = await _watched(page, CHART)
        before_ms = await worked_ms()
        given.change(LAST + number)
        await drawn
        await _settled(page)
        found.append(await worked_ms() - before_ms)
    await page.close()
    return found


class JobUpdate(NamedTuple):
    """What one update of a job's page took of a processor: where, and how many milliseconds."""

    page_ms: float
    loop_ms: float
    server_ms: float


async def _job_updates(browser: Browser, shards: int) -> list[JobUpdate]:
    """Return what each of some updates took."""
    page = await browser.new_page()
    found = []
    async with _large_job(shards) as (url, tell):
        await page.goto(url)
        worked_ms = await _worked(page)
        for _ in range(UPDATES):
            drawn = await _watched(page, SHARDS)
            begun_ms, begun = await worked_ms(), await tell("more")
            await drawn
            await _settled(page)
            page_ms, ended = await worked_ms() - begun_ms, await tell("")
            of_server = (ended[name] - begun[name] for name in ("loop", "process"))
            found.append(JobUpdate(page_ms, *of_server))
        await page.close()
    return found


@asynccontextmanager
async def _large_job(shards: int) -> AsyncIterator[tuple[str, Tell]]:
    """Serve the page of a job; what is told brings more results, and says what the loop took."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.pages_child", str(shards)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said, stdin = process.stdout, process.stdin

    async def tell(words: str) -> dict[str, float]:
        stdin.write(f"{words}\n".encode())
        return dict(json.loads(await said.readline()))

    try:
        yield (await said.readline()).decode().strip(), tell
    finally:
        stdin.close()
        await process.wait()


async def _worked(page: Page) -> Callable[[], Awaitable[float]]:
    """Wait until a page is drawn; return what tells how long its main thread has worked."""
    await page.wait_for_selector(DRAWN)
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")

    async def worked_ms() -> float:
        said = await session.send("Performance.getMetrics")
        metrics = {metric["name"]: metric["value"] for metric in said["metrics"]}
        return float(metrics["TaskDuration"]) * MS

    return worked_ms


async def _watched(page: Page, part: str) -> "asyncio.Future[None]":
    """Return what is done when a part of the page has changed from now on."""
    await _settled(page)
    drawn = asyncio.ensure_future(page.evaluate(CHANGED % part))
    await page.evaluate("0")  # by now it watches
    return drawn


async def _settled(page: Page) -> None:
    """Wait until what is drawn is painted."""
    await page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


async def _load(browser: Browser, url: str) -> tuple[float, float]:
    """Open the page with nothing cached; return when it was first painted, and drawn whole."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(url)
    await page.wait_for_selector(DRAWN)
    drawn_ms = await page.evaluate("performance.now()")
    painted_ms = await page.evaluate(PAINTED)
    await context.close()
    return float(painted_ms), float(drawn_ms)


@asynccontextmanager
async def _served() -> AsyncIterator[str]:
    """Serve the dashboard of a long log; all of it has been read."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lota-bench-")))
        server = await stack.enter_async_context(EmbeddedServer(folder / "nats"))
        client = await connect(server.url, name="bench")
        log = await open_log(client)
        await store(client, long_log(EVENTS, crowd=CROWD, large=0))
        await log.close()
        await client.close()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "node.cli.main", "ui", "--show-url", "--listen", "127.0.0.1:0"),
            *("--server", server.url),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        )
        try:
            assert process.stdout is not None
            url = (await process.stdout.readline()).decode().strip()
            await _ready(url)
            yield url
        finally:
            process.terminate()
            await process.wait()


async def _ready(url: str) -> None:
    async with httpx.AsyncClient(base_url=url.removesuffix("/ui/")) as client:
        while (await client.get("/readyz")).is_error:
            await asyncio.sleep(0.5)
