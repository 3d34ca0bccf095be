"""Opening a page in the user's browser, where there is a screen to show it on."""

import asyncio
import os
import sys
import webbrowser


async def open_in_browser(url: str) -> bool:
    """Open a page in a window of its own; return whether that was tried.

    A terminal's browser would take the terminal, so that it is none.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False
    return await asyncio.to_thread(webbrowser.open, url)
