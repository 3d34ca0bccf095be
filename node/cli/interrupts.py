"""Ctrl-C and SIGTERM as a future, so that what runs can be let go of in order."""

import asyncio
import signal


def interrupted() -> "asyncio.Future[None]":
    """Return a future that the first SIGINT or SIGTERM resolves; later ones change nothing."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def on_signal() -> None:
        if not future.done():
            future.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    return future
