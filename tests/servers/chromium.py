"""Debian's Chromium without a screen, driven by Playwright: for what people see in a browser."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

NAME = "chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""It asks nothing of its makers' servers, and runs as root, as tests in a container do."""


@asynccontextmanager
async def chromium(*more: str) -> AsyncIterator[Browser]:
    """Start a browser with `more` arguments; skip, or with LOTA_REQUIRE_SERVICES=1 fail, where
    there is none.
    """
    path = shutil.which(NAME)
    if path is None:
        reason = f"there is no {NAME}: on Debian, apt install {NAME}"
        if os.environ.get("LOTA_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*QUIET, *more])
        yield browser
        await browser.close()
