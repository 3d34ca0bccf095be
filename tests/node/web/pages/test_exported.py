"""A job in a file of its own, opened without any server."""

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import expect

from node.web.job_page import job_page
from tests.node.web.pages.conftest import Open
from tests.node.web.pages.documents import JOB, MARKUP, answers

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "job.html"
    kept = {name: answer for name, answer in answers().items() if name.startswith("/jobs/")}
    path.write_bytes(job_page(JOB, "now", kept))
    return path


async def test_it_opens_without_asking_for_anything(file: Path, open_page: Open) -> None:
    """Opened from the disk, the file draws the job and asks for itself alone."""
    page = await open_page(file.as_uri(), drawn="main h1")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await page.reload()
    await page.wait_for_selector("main h1")
    assert requests == [file.as_uri()]
    assert await page.get_by_role("heading", name="Shards").is_visible()


async def test_its_markup_is_text(file: Path, open_page: Open) -> None:
    """What the network said does nothing in the file either."""
    page = await open_page(file.as_uri(), drawn="main h1")
    assert MARKUP in await page.inner_text("main")
    assert await page.locator("main img, main script").count() == 0
    assert await page.title() == f"Job {JOB}"


async def test_one_can_look_around_in_it(file: Path, open_page: Open) -> None:
    """Shards, their output and each event are there, and what is not there is told."""
    page = await open_page(file.as_uri(), drawn="main h1")
    await page.focus(".cells svg")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await page.click("text=stdout")
    await expect(page.locator("pre.log")).to_contain_text("line")
    await page.click("nav[aria-label=Events] >> text=each")
    await expect(page.locator("tr[data-key=e9]")).to_be_visible()
    await page.click("nav[aria-label^=Output] >> text=files")
    await expect(page.locator(".crumbs")).to_be_visible()


async def test_axe_finds_nothing_in_it(file: Path, open_page: Open) -> None:
    """The file is as accessible as the page."""
    page = await open_page(file.as_uri(), drawn="main h1")
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
