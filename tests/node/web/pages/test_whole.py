"""The pages of a whole network: real nodes, the real log, its observer and its API."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.node.web.pages.conftest import DRAWN, Open
from tests.node.web.pages.documents import MARKUP
from tests.node.web.pages.shown_network import ShownNetwork

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShownNetwork]:
    """Return one network for all of these tests."""
    async with ShownNetwork(tmp_path_factory.mktemp("shown")) as shown:
        yield shown


async def test_a_job_is_seen_to_come_and_end(shown: ShownNetwork, open_page: Open) -> None:
    """A job that is submitted while one looks appears in the list and completes there."""
    page = await open_page(f"{shown.url}/ui/#/jobs")
    job = await shown.noop("just now")
    row = page.locator(f"tr[data-key='{job}']")
    await expect(row).to_contain_text("completed")
    await expect(row).to_contain_text("just now")


async def test_jobs_are_found(shown: ShownNetwork, open_page: Open) -> None:
    """By state, by label and by words."""
    for query, name in (
        ("state=failed", "broken"),
        ("label=team%3Dblue", "census"),
        ("q=large", "too"),
    ):
        page = await open_page(f"{shown.url}/ui/#/jobs?{query}")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody tr")).to_contain_text(name)


async def test_a_job_is_shown_whole(shown: ShownNetwork, open_page: Open) -> None:
    """Its state, a lane for each execution, its shards, the verdict on one, and its copy."""
    page = await open_page(f"{shown.url}/ui/#/jobs/{shown.census}?shard=3")
    await expect(page.locator(".head .state")).to_have_text("✓ completed")
    await expect(page.locator(".lanes ol").first.locator("li")).to_have_count(24)
    cells = page.locator(".cells svg")
    await expect(cells).to_have_attribute("aria-label", "12 shards: 12 completed")
    shard = page.locator(".shard")
    await expect(shard).to_contain_text("Verdict: accepted. 2 of 2 agree")
    await expect(shard).to_contain_text(f"{shown.folder}/published/{shown.census}/3")


async def test_output_and_files_are_fetched_from_the_nodes(
    shown: ShownNetwork, open_page: Open
) -> None:
    """What a shard printed is shown, its folders are opened one by one, and a file is saved."""
    page = await open_page(f"{shown.url}/ui/#/jobs/{shown.census}?shard=3")
    await page.click("text=stdout")
    await expect(page.locator("pre.log")).to_have_text("part 3 of the census\n")
    await page.click("nav[aria-label^=Output] >> text=files")
    await page.click(".shard td >> text=outputs/")
    async with page.expect_download() as waiting:
        await page.click(".shard td >> text=numbers")
    saved = await (await waiting.value).path()
    assert saved.read_text() == "1\n2\n3\n4\n5\n"


@pytest.mark.parametrize(
    "path", ["network", "jobs", "JOB?shard=3&stream=stdout&path=", "nodes?job=JOB", "log"]
)
async def test_every_page_has_a_past(shown: ShownNetwork, open_page: Open, path: str) -> None:
    """Each page, with whatever is opened on it, can be shown as of a position."""
    path = path.replace("=JOB", f"={shown.census}").replace("JOB", f"jobs/{shown.census}")
    page = await open_page(f"{shown.url}/ui/#/{path}{'&' if '?' in path else '?'}at=80")
    await expect(page.get_by_role("status")).to_have_text(re.compile("The past is shown"))
    await expect(page.locator("#when")).to_contain_text("position 80 ")


async def test_a_job_is_cancelled(shown: ShownNetwork, open_page: Open) -> None:
    """What waits is cancelled from its page, and the page shows its end and the reason."""
    job = await shown.too_large()
    page = await open_page(f"{shown.url}/ui/#/jobs/{job}")
    await page.click("text=Cancel…")
    await page.fill("[name=reason]", "asked for too much")
    await page.click("text=Cancel the job")
    await expect(page.locator(".head .state")).to_have_text("⊘ cancelled")
    await expect(page.locator("main")).to_contain_text("asked for too much")


async def test_a_cause_leads_to_its_event(shown: ShownNetwork, open_page: Open) -> None:
    """Of each event one can see what it was an answer to, back to the submission."""
    page = await open_page(f"{shown.url}/ui/#/jobs/{shown.failed}?view=full")
    await page.locator("tr:has-text('job.failed') td:last-child a").click()
    chain = page.locator("tr.chain .role")
    await expect(chain.last).to_have_text("job.failed")
    assert await chain.count() > 1


async def test_what_waits_says_why(shown: ShownNetwork, open_page: Open) -> None:
    """A job that no node can run names each node and what it lacks."""
    page = await open_page(f"{shown.url}/ui/#/jobs/{shown.waiting}")
    await expect(page.locator(".why")).to_contain_text("node-1: it has")


async def test_a_job_is_taken_back_to_its_first_event(shown: ShownNetwork, open_page: Open) -> None:
    """At the left end of the slider the job is just submitted, at the right end it has failed."""
    page = await open_page(f"{shown.url}/ui/#/jobs/{shown.failed}")
    await page.focus("#slider")
    await page.keyboard.press("Home")
    state = page.locator(".head .state")
    await expect(state).to_have_text("○ submitted")
    assert re.search(r"\?at=\d+$", page.url)
    await page.keyboard.press("End")
    await expect(state).to_have_text("✗ failed")


async def test_a_job_is_played_to_its_end(shown: ShownNetwork, open_page: Open) -> None:
    """Playing goes on from the moment that is shown to the job's last event, and stops there."""
    page = await open_page(f"{shown.url}/ui/#/jobs/{shown.failed}")
    await page.focus("#slider")
    await page.keyboard.press("End")
    await page.keyboard.press("ArrowLeft")
    state = page.locator(".head .state")
    await expect(state).to_have_text("▶ running")
    await page.click("text=Play")
    await expect(state).to_have_text("✗ failed")
    await expect(page.locator("#play")).to_have_text("Play")


async def test_markup_is_shown_and_not_run(shown: ShownNetwork, open_page: Open) -> None:
    """A job whose name is markup is named so on every page."""
    for path in ("jobs", f"jobs/{shown.markup}"):
        page = await open_page(f"{shown.url}/ui/#/{path}")
        await expect(page.locator("main")).to_contain_text(MARKUP)
        assert await page.locator("main img, main script").count() == 0


async def test_nodes_and_the_ring(shown: ShownNetwork, open_page: Open) -> None:
    """Each node has its card, and the job its place on the ring."""
    page = await open_page(f"{shown.url}/ui/#/nodes?job={shown.census}")
    await expect(page.locator(".cards > li")).to_have_count(4)
    await expect(page.locator(".cards > li").first).to_contain_text("agreed")
    await expect(page.locator(".cards > li").first).to_contain_text(" won, ")
    label = await page.locator("svg.ring").get_attribute("aria-label")
    assert re.search(r"is offered to node-\d, then node-\d", str(label))


async def test_a_job_is_taken_along_as_a_file(
    shown: ShownNetwork, open_page: Open, tmp_path: Path
) -> None:
    """What the page saves opens from the disk with the same job, what it printed and its files."""
    page = await open_page(f"{shown.url}/ui/#/jobs/{shown.census}")
    async with page.expect_download() as waiting:
        await page.click("text=Save as one file")
    file = tmp_path / "job.html"
    await (await waiting.value).save_as(file)
    alone = await open_page(file.as_uri(), drawn="main h1")
    await expect(alone.locator("h1")).to_have_text("census")
    await expect(alone.locator(".lanes ol").first.locator("li")).to_have_count(24)
    await alone.click(".lanes a >> nth=6")
    await alone.click("text=stdout")
    await expect(alone.locator("pre.log")).to_have_text("part 3 of the census\n")
    await alone.click("nav[aria-label^=Output] >> text=files")
    names = alone.locator("[data-key='Files of the result']")
    await expect(names).to_contain_text("outputs/numbers")
    await expect(alone.locator("[data-key='Not in this file'] li")).to_have_count(1)


async def test_the_log_grows_as_one_looks(shown: ShownNetwork, open_page: Open) -> None:
    """New events come on top, and a filter leaves those of one type."""
    page = await open_page(f"{shown.url}/ui/#/log")
    await shown.noop("")
    await expect(page.locator("tbody tr").first).to_contain_text("job.completed")
    await page.fill("[name=type]", "job.failed")
    await page.click("text=Filter")
    await expect(page.locator("table >> nth=0 >> tbody tr")).to_have_count(1)
    await page.wait_for_selector(DRAWN)
