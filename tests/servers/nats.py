"""The publisher places' nats-server: one a test process, started when the first asks for it.

The server and the loop that it needs live in a thread of their own, so that places of many loops
share it. It dies with this process, since the thread does.
"""

import asyncio
import atexit
import tempfile
import threading
from concurrent.futures import Future
from functools import cache
from pathlib import Path

from node.server import EmbeddedServer


@cache
def nats_port() -> int:
    """Return the TCP port on 127.0.0.1 of this process's server; blocks the first time."""
    started: Future[int] = Future()
    ending = threading.Event()
    thread = threading.Thread(target=_run, args=(started, ending), daemon=True)
    thread.start()
    port = started.result()
    atexit.register(_stop, thread, ending)
    return port


def _run(started: "Future[int]", ending: threading.Event) -> None:
    try:
        asyncio.run(_serve(started, ending))
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)


async def _serve(started: "Future[int]", ending: threading.Event) -> None:
    with tempfile.TemporaryDirectory(prefix="lota-nats-") as folder:
        async with EmbeddedServer(Path(folder)) as server:
            started.set_result(server.port)
            await asyncio.to_thread(ending.wait)


def _stop(thread: threading.Thread, ending: threading.Event) -> None:
    ending.set()
    thread.join()
