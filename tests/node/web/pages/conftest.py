"""A browser for all of these tests, and for each a server, and pages that may ask nobody else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.node.web.pages.given_server import GivenServer
from tests.servers.chromium import chromium

PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)

DRAWN = "main[aria-busy=false]"
"""The page stands: all that it asked for has come."""

Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Return the browser of this test process."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def given() -> AsyncIterator[GivenServer]:
    """Return a server of given documents."""
    async with GivenServer() as given:
        yield given


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[Open]:
    """Open a page; at the end it must have asked nobody else, and met no error."""
    contexts, errors, asked = [], [], []

    async def opened(url: str, *, drawn: str = DRAWN, **options: Any) -> Page:
        context = await browser.new_context(**options)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        context.on("weberror", lambda error: errors.append(str(error.error)))
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(url)
        await page.wait_for_selector(drawn)
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert not errors
    assert [
        url for url in asked if "://127.0.0.1:" not in url and not url.startswith("file:")
    ] == []
