"""The pictures of docs/dashboard.md, of a network that has been at work; `make pictures`."""

import asyncio
import tempfile
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, ViewportSize

from events.spec import Deal, JobSpec, Sharding
from tests.node.web.pages.conftest import DRAWN
from tests.node.web.pages.shown_network import LOCAL, ShownNetwork
from tests.servers.chromium import chromium

PICTURES = Path(__file__).resolve().parents[4] / "docs" / "pictures"
HEIGHT = 780
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ROUNDS = 12
WORK = 'echo "shard $LOTA_SHARD"; sleep 0.$((LOTA_SHARD * 3 % 7)); test $LOTA_SHARD'


def job(number: int) -> JobSpec:
    """Return one of several jobs, each a little different from the other; every fourth fails."""
    return JobSpec(
        engine="process",
        name=("thumbnails", "word count", "checksums", "nightly")[number % 4],
        command=("sh", "-c", f"{WORK} -lt {5 if number % 4 == 3 else 99}"),
        labels={"team": ("blue", "green")[number % 2]},
        sharding=Sharding(count=6 + number % 5),
        deal=Deal(replicas=1 + number % 2),
        verifier="deterministic" if number % 2 else "none",
        publishers=LOCAL,
        timeout="30s",
    )


async def work(shown: ShownNetwork) -> None:
    """Have the network do some jobs, one after the other and beside each other."""
    for number in range(ROUNDS):
        submitted = [await shown.watch.submit(job(number + more)) for more in range(1 + number % 3)]
        for each in submitted:
            await shown.watch.ended(each)


async def draw(browser: Browser, shown: ShownNetwork) -> None:
    """Draw each page by day and by night."""
    PICTURES.mkdir(exist_ok=True)
    pages = {
        "network": ("network?range=1m", HEIGHT),
        "jobs": ("jobs", HEIGHT),
        "job": (f"jobs/{shown.census}", HEIGHT),
        "nodes": (f"nodes?job={shown.census}", HEIGHT + 320),
    }
    for scheme in SCHEMES:
        context = await browser.new_context(color_scheme=scheme)
        for name, (path, height) in pages.items():
            page = await context.new_page()
            await page.set_viewport_size(ViewportSize(width=1200, height=height))
            await page.goto(f"{shown.url}/ui/#/{path}")
            await page.wait_for_selector(DRAWN)
            await page.wait_for_selector("#status:has-text('Connected')")
            await page.screenshot(path=PICTURES / f"{name}-{scheme}.png")
            await page.close()
        await context.close()


async def main() -> None:
    """Draw all pictures anew."""
    with tempfile.TemporaryDirectory() as folder:
        async with ShownNetwork(Path(folder)) as shown, chromium() as browser:
            await work(shown)
            await draw(browser, shown)


if __name__ == "__main__":
    asyncio.run(main())
