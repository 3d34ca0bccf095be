"""How a page follows the log, and how it is taken back in time."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect
from starlette.responses import JSONResponse

from tests.node.web.pages.conftest import Open
from tests.node.web.pages.documents import JOB, LAST, event, job, job_row
from tests.node.web.pages.given_server import GivenServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_change_is_shown_as_it_comes(given: GivenServer, open_page: Open) -> None:
    """What a change brings is on the page without a reload, and so is the position."""
    page = await open_page(f"{given.url}/ui/#/jobs")
    given.answers["/jobs"] = {"jobs": [job_row(7, "running")], "next": None}
    given.change(LAST + 3)
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("#when")).to_contain_text(f"position {LAST + 3}")


async def test_a_job_is_read_again_when_it_is_touched(given: GivenServer, open_page: Open) -> None:
    """A change that concerns other jobs costs the page of this one nothing."""
    await open_page(f"{given.url}/ui/#/jobs/{JOB}")
    given.asked.clear()
    given.change(LAST + 1, jobs=["another"])
    given.change(LAST + 2, jobs=[JOB])
    await given.until_asked("/lanes")
    assert sum("/lanes" in url for url in given.asked) == 1


async def test_a_job_that_runs_is_read_on_without_an_event(
    given: GivenServer, open_page: Open
) -> None:
    """What a command prints, and how long it runs, is shown though nobody writes to the log."""
    await open_page(f"{given.url}/ui/#/jobs/{JOB}?shard=0&stream=stdout")
    given.asked.clear()
    await given.until_asked("/logs")
    await given.until_asked("/lanes")


async def test_nothing_is_asked_for_twice_at_a_time(given: GivenServer, open_page: Open) -> None:
    """While an answer is awaited, changes add up to one more question behind it."""
    page = await open_page(f"{given.url}/ui/#/log")
    given.held = asyncio.Event()
    given.asked.clear()
    for position in range(LAST + 1, LAST + 20):
        given.change(position)
    await given.until_asked("/log")
    given.answers["/log"] = {**given.answers["/log"], "events": [event(LAST + 19)]}
    given.held.set()
    await expect(page.locator("tbody tr").first).to_contain_text(f"{LAST + 19}")
    assert max(given.at_once.values()) == 1


async def test_what_a_person_opened_stays_open(given: GivenServer, open_page: Open) -> None:
    """A new event above does not close the document that somebody reads, nor take the focus."""
    page = await open_page(f"{given.url}/ui/#/log")
    row = page.locator(f"tr[data-key=e{LAST - 1}]")
    await row.locator("summary").click()
    log = given.answers["/log"]
    given.answers["/log"] = {**log, "events": [event(LAST + 1), *log["events"]]}
    given.change(LAST + 1)
    await expect(page.locator(f"tr[data-key=e{LAST + 1}]")).to_be_visible()
    await expect(row.locator("details")).to_have_attribute("open", "")
    await expect(row.locator("summary")).to_be_focused()


async def test_what_comes_above_takes_no_focus(given: GivenServer, open_page: Open) -> None:
    """A verdict and its copies appear above the link that somebody has come to, and leave it."""
    judged = job()
    for shard in (waiting := job())["shards"]:
        shard.update(verdict=None, slots=[], publications=[])
    given.answers[f"/jobs/{JOB}"] = waiting
    page = await open_page(f"{given.url}/ui/#/jobs/{JOB}?shard=0&stream=stdout")
    await page.focus("text=stderr")
    given.answers[f"/jobs/{JOB}"] = judged
    given.change(LAST + 1, jobs=[JOB])
    await expect(page.locator("main")).to_contain_text("Verdict: accepted")
    await expect(page.locator("text=stderr")).to_be_focused()


async def test_the_slider_shows_the_whole_page_as_it_was(
    given: GivenServer, open_page: Open
) -> None:
    """Every document is read as of the slider's position, which the address and all links keep."""
    page = await open_page(f"{given.url}/ui/#/nodes")
    given.asked.clear()
    await page.fill("#slider", "123")
    await given.until_asked("/nodes?as_of=123")
    await given.until_asked("/ring?as_of=123")
    await expect(page.locator("#status")).to_contain_text("The past is shown")
    assert page.url.endswith("#/nodes?at=123")
    assert await page.get_attribute("text=Jobs", "href") == "#/jobs?at=123"
    await page.click("text=Live")
    await expect(page.locator("#status")).to_contain_text("Connected")
    assert page.url.endswith("#/nodes")


async def test_the_slider_goes_by_keys_event_by_event(given: GivenServer, open_page: Open) -> None:
    """An arrow key goes one event back, and the slider says where that is."""
    page = await open_page(f"{given.url}/ui/#/log?at=400")
    await page.focus("#slider")
    await page.keyboard.press("ArrowLeft")
    await given.until_asked("as_of=399")
    told = re.compile("position 399 ")
    await expect(page.locator("#slider")).to_have_attribute("aria-valuetext", told)


async def test_a_time_in_an_address_is_shown_with_its_position(
    given: GivenServer, open_page: Open
) -> None:
    """An address may say a time instead of a position, and play goes on from there."""
    page = await open_page(f"{given.url}/ui/#/jobs?at=2026-11-23T09:00:00Z")
    await expect(page.locator("#when")).to_contain_text(f"position {LAST} · ")


async def test_an_address_that_is_broken_is_told(given: GivenServer, open_page: Open) -> None:
    """An address whose escapes were cut leads to a page that knows no such job."""
    page = await open_page(f"{given.url}/ui/#/jobs/%zz")
    await expect(page.locator("main")).to_contain_text("Nothing is known of %zz")


async def test_going_back_shows_a_page_where_it_was_left(
    given: GivenServer, open_page: Open
) -> None:
    """Who opens a job far down in the list finds that row again on the way back."""
    page = await open_page(f"{given.url}/ui/#/jobs", viewport={"width": 900, "height": 200})
    left = page.locator("tbody a").last
    await left.scroll_into_view_if_needed()
    await until(page, "(history.state?.top ?? 0) === scrollY && scrollY > 0")
    top = await page.evaluate("scrollY")
    await left.evaluate("link => link.click()")
    await expect(page.locator("h1")).not_to_have_text("Jobs")
    await page.go_back()
    await until(page, f"Math.abs(scrollY - {top}) < 2")


async def test_more_of_a_table_begins_at_its_top(given: GivenServer, open_page: Open) -> None:
    """Who goes on to older jobs at the end of the list reads on at the first of them."""
    page = await open_page(f"{given.url}/ui/#/jobs", viewport={"width": 900, "height": 400})
    await page.click("text=Older")
    await given.until_asked("cursor=")
    await expect(page.locator("th").first).to_be_in_viewport()


async def until(page: Page, what: str) -> None:
    """Wait until something holds in a page, whose policy lets no text be run by itself."""
    for _ in range(200):
        if await page.evaluate(what):
            return
        await page.evaluate("new Promise(requestAnimationFrame)")
    raise AssertionError(what)


async def test_a_change_leaves_the_past_alone(given: GivenServer, open_page: Open) -> None:
    """Who looks at the past is not disturbed by the present."""
    page = await open_page(f"{given.url}/ui/#/jobs?at=100")
    given.asked.clear()
    given.change(LAST + 1)
    await page.click("text=Live")
    await given.until_asked("/jobs?limit=50")
    assert not [url for url in given.asked if "as_of" in url]


async def test_play_goes_from_the_first_event_of_a_job_to_its_last(
    given: GivenServer, open_page: Open
) -> None:
    """On a job's page the slider is the job's own: playing begins with its first event."""
    given.span = {"first": 40, "last": 44}
    page = await open_page(f"{given.url}/ui/#/jobs/{JOB}?at=44")
    await expect(page.locator("#slider")).to_have_attribute("min", "40")
    await page.click("text=Play")
    for position in range(40, 45):
        await given.until_asked(f"/jobs/{JOB}?as_of={position}")
    await expect(page.locator("#play")).to_have_text("Play")


async def test_a_problem_is_told_with_what_to_do(given: GivenServer, open_page: Open) -> None:
    """An error of the server stands in the one status line, with its hint, until it is over."""
    problem = {"title": "Conflict", "detail": "the log is closed", "hint": "Open it"}
    given.answers["/nodes"] = JSONResponse(problem, 409, media_type="application/problem+json")
    page = await open_page(f"{given.url}/ui/#/nodes")
    status = page.get_by_role("status")
    await expect(status).to_have_text("the log is closed. Open it")
    given.answers["/nodes"] = {"nodes": []}
    given.change(LAST + 1)
    await expect(page.locator("main")).to_contain_text("lota node serve")
    await expect(status).to_contain_text("Connected")


async def test_that_the_network_is_silent_is_told(given: GivenServer, open_page: Open) -> None:
    """A server that is cut off from its network tells of no change, and is asked all the same."""
    page = await open_page(f"{given.url}/ui/#/jobs")
    await given.until_asked("/jobs", times=2)
    problem = {"title": "Unavailable", "detail": "NATS does not answer"}
    given.answers["/jobs"] = JSONResponse(problem, 503, media_type="application/problem+json")
    await expect(page.get_by_role("status")).to_have_text("NATS does not answer")


async def test_a_lost_connection_is_told_and_taken_up(given: GivenServer, open_page: Open) -> None:
    """The page follows again after the stream of changes broke, and reads what it missed."""
    page = await open_page(f"{given.url}/ui/#/jobs")
    given.asked.clear()
    given.cut()
    await given.until_asked("/jobs")
    await expect(page.get_by_role("status")).to_contain_text("Connected")


async def test_who_is_not_admitted_is_sent_to_sign_in(given: GivenServer, open_page: Open) -> None:
    """A page without a right to read leads to the form for a token, which keeps its address."""
    given.answers["/jobs"] = JSONResponse({"detail": "a token is needed"}, 401)
    page = await open_page(f"{given.url}/ui/#/jobs", drawn="text=sign in here")
    assert page.url == f"{given.url}/login#/jobs"


async def test_a_job_is_cancelled_with_a_reason(given: GivenServer, open_page: Open) -> None:
    """Cancelling asks for a reason and once more, and a change meanwhile does not take it away."""
    page = await open_page(f"{given.url}/ui/#/jobs/{JOB}")
    await page.click("text=Cancel…")
    await page.fill("[name=reason]", "too")
    given.asked.clear()
    given.answers[f"/jobs/{JOB}"] = {**job(), "name": "renamed"}
    given.change(LAST + 1)
    await expect(page.locator("h1")).to_have_text("renamed")
    await page.locator("[name=reason]").press_sequentially(" slow")
    await page.click("text=Cancel the job")
    await given.until_asked("/cancel")
    assert given.posted == [(f"/jobs/{JOB}/cancel", {"reason": "too slow"})]
    await expect(page.locator("dialog")).to_be_hidden()


async def test_of_a_long_output_the_beginning_is_shown(given: GivenServer, open_page: Open) -> None:
    """A command that printed megabytes does not fill the page, and all of it can be saved."""
    given.answers[f"/jobs/{JOB}/logs"] = "0123456789abcde\n" * 200_000
    page = await open_page(f"{given.url}/ui/#/jobs/{JOB}?shard=1&stream=stdout")
    assert len(str(await page.locator("pre.log").text_content())) == 256 * 1024
    save = page.get_by_role("link", name="Save all of it")
    assert str(await save.get_attribute("href")).endswith("/logs?shard=1&stream=stdout")


async def test_a_page_that_is_not_looked_at_lets_go(given: GivenServer, open_page: Open) -> None:
    """A hidden page holds no stream of changes, and follows again when it is shown."""
    page = await open_page(f"{given.url}/ui/#/jobs")
    await given.until_followed(1)
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    await page.evaluate(f"{hide % 'true'}; {tell}")
    await given.until_followed(0)
    await page.evaluate(f"{hide % 'false'}; {tell}")
    await given.until_followed(1)
    given.answers["/jobs"] = {"jobs": [job_row(7, "running")], "next": None}
    given.change(LAST + 3)
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_going_back_takes_what_was_looked_for_along(
    given: GivenServer, open_page: Open
) -> None:
    """A form says what its address says, also when somebody wrote something else into it."""
    page = await open_page(f"{given.url}/ui/#/jobs")
    await page.fill("[name=q]", "census")
    await page.keyboard.press("Enter")
    await given.until_asked("q=census")
    await expect(page.locator("[name=q]")).to_have_attribute("value", "census")
    await page.go_back()
    await expect(page.locator("[name=q]")).to_have_value("")


async def test_a_choice_does_not_wait_for_another(given: GivenServer, open_page: Open) -> None:
    """Who looks at a node that is silent can go on to another shard before it has answered."""
    page = await open_page(f"{given.url}/ui/#/jobs/{JOB}")
    given.held = asyncio.Event()
    await page.evaluate("location.hash += '?shard=0&stream=stdout'")
    await given.until_asked("stream=stdout")
    given.held = None
    await page.evaluate("location.hash = location.hash.replace('stdout', 'stderr')")
    await expect(page.locator("nav.choice a[aria-current]").first).to_have_text("stderr")
