"""A job in a file of its own, opened without any server."""

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import expect

from node.web.job_page import job_page
from node.web.kept_results import Files, KeptResult
from node.web.views.kept import kept_views
from tests.node.web.pages.conftest import Open
from tests.node.web.pages.documents import JOB, MARKUP, answers, drawn_job, event, job, lanes

pytestmark = pytest.mark.asyncio(loop_scope="session")


CUT = "it had not come when the file was made, after 10 s"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    output = {"text": f"line\n{MARKUP}\n", "whole": False}
    entries = answers()[f"/jobs/{JOB}/results"]["entries"]
    results = {index: KeptResult(why=CUT) for index in range(12)}
    results[0] = KeptResult(outputs={"stdout": output}, files=Files(entries, whole=True))
    given = job()
    view = drawn_job(given, lanes())
    each = [event(position) for position in range(1, 250)]
    lacking = ["Events after the first 249, one by one: a file lists no more."]
    path = tmp_path / "job.html"
    views = kept_views(view, given["shards"], each, results, lacking)
    path.write_bytes(job_page(JOB, "now", views))
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
    """Shards, their output, their files and each event are there, each beside the others."""
    page = await open_page(file.as_uri(), drawn="main h1")
    await page.focus(".cells svg")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(page.locator(".cells .chosen")).to_have_count(1)
    await page.click("text=stdout")
    await expect(page.locator("pre.log")).to_contain_text("line")
    await page.click("nav[aria-label=Events] >> text=each")
    await expect(page.locator("tr[data-key=e9]")).to_be_visible()
    await page.click("nav[aria-label^=Output] >> text=files")
    await expect(page.locator("[data-key='Files of the result']")).to_contain_text("outputs/")
    await page.click("text=More")
    await expect(page.locator("tr[data-key=e201]")).to_be_visible()
    await expect(page.locator("tr[data-key=e9]")).to_have_count(0)


async def test_causes_are_followed_in_it(file: Path, open_page: Open) -> None:
    """An event's cause is marked, and the cause of that, as far as they are on the page."""
    page = await open_page(f"{file.as_uri()}#/jobs/{JOB}?view=full", drawn="main h1")
    await page.locator("tr[data-key=e4] td:last-child a").click()
    await expect(page.locator("tr.chain")).to_have_count(4)


async def test_what_is_not_in_it_is_told(file: Path, open_page: Open) -> None:
    """The page says what it lacks and why, as a whole and where it would be."""
    page = await open_page(f"{file.as_uri()}#/jobs/{JOB}?shard=3", drawn="main h1")
    lacks = page.locator("[data-key='Not in this file']")
    await expect(lacks).to_contain_text(f"Output and files of 11 shards, or some of them: {CUT}.")
    await expect(lacks).to_contain_text("Events after the first 249")
    await expect(page.locator(".shard")).to_contain_text(f"Not all of its result is here: {CUT}.")
    await page.goto(f"{file.as_uri()}#/jobs/{JOB}?shard=12345")
    await expect(page.get_by_role("status")).to_contain_text("This file does not hold that")


async def test_what_is_cut_says_where_the_rest_is(file: Path, open_page: Open) -> None:
    """Of a long output the beginning is in the file."""
    page = await open_page(f"{file.as_uri()}#/jobs/{JOB}?shard=0&stream=stdout", drawn="main h1")
    await expect(page.locator(".shard")).to_contain_text(
        f"lota job logs {JOB} --shard 0 prints all"
    )


async def test_axe_finds_nothing_in_it(file: Path, open_page: Open) -> None:
    """The file is as accessible as the page."""
    page = await open_page(file.as_uri(), drawn="main h1")
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
