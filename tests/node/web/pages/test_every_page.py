"""What holds of every page: anybody can use it, on a phone too, and the network runs nothing."""

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]

from tests.node.web.pages.conftest import Open
from tests.node.web.pages.documents import JOB, MARKUP
from tests.node.web.pages.given_server import GivenServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = {
    "network": "network",
    "jobs": "jobs",
    "job": f"jobs/{JOB}?shard=3&stream=stdout&path=",
    "each event": f"jobs/{JOB}?view=full&event=e9",
    "nodes": f"nodes?job={JOB}",
    "log": "log",
    "past": "log?at=400",
}


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
async def test_axe_finds_nothing(given: GivenServer, open_page: Open, path: str) -> None:
    """Every page is free of what axe finds, in light, and its colours are in dark too."""
    url = f"{given.url}/ui/#/{path}"
    page = await open_page(url, color_scheme="light", reduced_motion="reduce")
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    await page.emulate_media(color_scheme="dark")
    results = await Axe().run(page, options={"runOnly": ["color-contrast"]})
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
async def test_a_phone_scrolls_down_only(given: GivenServer, open_page: Open, path: str) -> None:
    """Every page fits into 360 pixels."""
    page = await open_page(f"{given.url}/ui/#/{path}", viewport={"width": 360, "height": 640})
    widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, shown = await page.evaluate(widths)
    assert wide == shown


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
async def test_markup_of_the_network_is_text(
    given: GivenServer, open_page: Open, path: str
) -> None:
    """Markup in a name, a reason, a log or a file's name is shown as it is, and does nothing."""
    page = await open_page(f"{given.url}/ui/#/{path}")
    assert MARKUP in await page.inner_text("main")
    assert await page.locator("main img, main script, a[href^=javascript]").count() == 0
    assert await page.title() != "run"
