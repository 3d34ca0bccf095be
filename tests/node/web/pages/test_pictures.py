"""Charts, lanes, cells and the ring: what they say without sight or pointer."""

import pytest
from playwright.async_api import expect

from tests.node.web.pages.conftest import Open
from tests.node.web.pages.documents import JOB, LAST, statistics
from tests.node.web.pages.given_server import GivenServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_chart_is_read_by_keys(given: GivenServer, open_page: Open) -> None:
    """Arrow keys move a cursor, at which the legend and the label tell the values."""
    page = await open_page(f"{given.url}/ui/#/network")
    chart = page.get_by_role("img", name="Jobs")
    figure = page.locator("figure", has=chart)
    series = statistics()["series"]["jobs.submitted"]
    await expect(figure.locator(".legend b").first).to_have_text(str(series[-1]))
    await chart.focus()
    for _ in range(3):
        await page.keyboard.press("ArrowLeft")
    await expect(figure.locator(".legend b").first).to_have_text(str(series[-3]))
    assert f"submitted {series[-3]}" in str(await chart.get_attribute("aria-label"))
    await page.keyboard.press("Home")
    await expect(figure.locator(".legend b").first).to_have_text(str(series[0]))


async def test_a_cursor_and_an_open_table_outlive_a_change(
    given: GivenServer, open_page: Open
) -> None:
    """New values come into the table that somebody opened, and under the cursor where it stands."""
    page = await open_page(f"{given.url}/ui/#/network")
    figure = page.locator("figure[data-key=Bids]")
    await figure.locator("summary").click()
    await expect(figure.locator("tbody tr")).to_have_count(60)
    await figure.locator("svg[role=img]").focus()
    await page.keyboard.press("Home")
    changed = statistics(points=61)
    changed["series"]["bids.placed"][0] = 7777
    given.answers["/statistics"] = changed
    given.change(LAST + 1)
    await expect(figure.locator("tbody tr")).to_have_count(61)
    await expect(figure.locator(".legend b").first).to_have_text("7,777")


async def test_a_range_is_chosen_by_its_link(given: GivenServer, open_page: Open) -> None:
    """The range stands in the address, and the statistics are read for it."""
    page = await open_page(f"{given.url}/ui/#/network")
    await page.get_by_role("link", name="90 days").click()
    await given.until_asked("since=90d")
    await expect(page.locator("[aria-current=true]")).to_have_text("90d")


async def test_a_shard_is_chosen_by_keys(given: GivenServer, open_page: Open) -> None:
    """The grid of cells is walked by arrow keys, also over changes, and Enter opens a shard."""
    page = await open_page(f"{given.url}/ui/#/jobs/{JOB}")
    cells = page.get_by_role("img", name="12 shards")
    await cells.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        await page.keyboard.press(key)
    grid = page.locator(".cells svg")
    given.answers[f"/jobs/{JOB}"]["name"] = "changed"
    given.change(LAST + 1)
    await expect(page.locator("h1")).to_have_text("changed")
    await expect(grid).to_have_attribute("aria-label", "shard 2: running")
    await page.keyboard.press("Enter")
    await expect(page.locator(".shard h3")).to_contain_text("Shard 2")


async def test_lanes_are_read_by_keys(given: GivenServer, open_page: Open) -> None:
    """Each lane can be told without seeing it."""
    page = await open_page(f"{given.url}/ui/#/jobs/{JOB}")
    lanes = page.locator(".lanes svg[role=img]")
    await lanes.focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(lanes).to_have_attribute(
        "aria-label", "execution 0-1 on node-2: failed after 1.5 s"
    )


async def test_the_ring_says_where_a_job_falls(given: GivenServer, open_page: Open) -> None:
    """Who is asked first can be read from the picture's label, in order."""
    page = await open_page(f"{given.url}/ui/#/nodes?job={JOB}")
    label = await page.locator("svg.ring").get_attribute("aria-label")
    assert str(label).endswith("is offered to node-1, then node-2")


async def test_all_of_a_page_is_reached_by_tab(given: GivenServer, open_page: Open) -> None:
    """The first stop skips what all pages have, and each chart is a stop."""
    page = await open_page(f"{given.url}/ui/#/network")
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    reached = set()
    for _ in range(120):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate("document.activeElement.getAttribute('aria-label')"))
    charts = await page.locator("svg[role=img]").evaluate_all(
        "all => all.map(one => one.ariaLabel)"
    )
    assert {label.partition(",")[0] for label in charts} <= {
        str(label).partition(" at ")[0].partition(",")[0] for label in reached
    }


async def test_a_job_too_large_to_draw_is_drawn_in_groups(
    given: GivenServer, open_page: Open
) -> None:
    """Ten thousand shards are no more than 1,600 cells, and no shard that failed is hidden."""
    shard = given.answers[f"/jobs/{JOB}"]["shards"][0]
    states = ["completed"] * 10_000
    states[7003] = "failed"
    given.answers[f"/jobs/{JOB}"]["shards"] = [
        {**shard, "index": index, "state": state, "executions": [], "publications": []}
        for index, state in enumerate(states)
    ]
    page = await open_page(f"{given.url}/ui/#/jobs/{JOB}")
    grid = page.locator(".cells svg")
    await expect(grid).to_have_attribute("aria-label", "10,000 shards: 9,999 completed, 1 failed")
    drawn = await page.locator(".cell").evaluate_all("all => all.map(one => one.outerHTML)")
    squares = {kind: one.count("h14") for one in drawn for kind in ("good", "bad") if kind in one}
    assert squares == {"good": 1428, "bad": 1}
