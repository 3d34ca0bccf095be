"""Signing in, by a real browser, under a name that it does not take for this machine's."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from events.memory import MemoryLog
from node.web.access import Access, Token
from tests.node.web.api.served import observed, serving
from tests.servers.chromium import chromium

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "read-token-of-this-test"


@pytest_asyncio.fixture(loop_scope="session")
async def login(tmp_path: Path) -> AsyncIterator[Page]:
    """Return the form of a server without TLS, as it is seen from another machine."""
    async with (
        observed(MemoryLog(), tmp_path) as api,
        serving(api, Access([Token("read", TOKEN)])) as url,
        chromium("--host-resolver-rules=MAP lota.test 127.0.0.1") as browser,
    ):
        page = await browser.new_page()
        await page.goto(f"http://lota.test:{urlsplit(url).port}/login")
        yield page


async def test_a_person_signs_in_without_tls(login: Page) -> None:
    """A browser says that the form comes from our page also where it says nothing of sites."""
    await login.fill("#token", TOKEN)
    await login.click("button")
    await expect(login).to_have_url(re.compile("/ui/$"))
    cookies = await login.context.cookies()
    assert [cookie["name"] for cookie in cookies] == ["lota_session"]


async def test_a_person_who_mistypes_sees_the_form_again(login: Page) -> None:
    """The form says what is wrong and can be used again."""
    await login.fill("#token", "a-token-of-nobody")
    await login.click("button")
    await expect(login.get_by_role("alert")).to_contain_text("none of this server's")


async def test_a_link_is_kept_while_a_person_signs_in(login: Page) -> None:
    """Who has to sign in first, and mistypes, comes to the page of the link all the same."""
    link = login.url.replace("/login", "/ui/#/log?at=1")
    await login.goto("about:blank")
    await login.goto(link)
    await login.fill("#token", "a-token-of-nobody")
    await login.click("button")
    await expect(login.get_by_role("alert")).to_contain_text("none of this server's")
    await login.fill("#token", TOKEN)
    await login.click("button")
    await expect(login).to_have_url(re.compile(r"/ui/#/log\?at=1$"))
