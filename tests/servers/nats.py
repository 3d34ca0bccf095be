"""The publisher places' nats-server: one a test process, started when the first asks for it.

The server and the loop that it needs live in a thread of their own, so that places of many loops
share it. It dies with this process, since the thread does.
"""

import asyncio
import atexit
import shutil
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
    thread = threading.Thread(target=_run, args=(started,), daemon=True)
    thread.start()
    return started.result()


def _run(started: "Future[int]") -> None:
    folder = tempfile.mkdtemp(prefix="lota-nats-")
    # The server ends with the thread that started it; waiting for that here would wait for ever,
    # since threads are joined before this is called.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        asyncio.run(_serve(started, Path(folder)))
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)


async def _serve(started: "Future[int]", folder: Path) -> None:
    async with EmbeddedServer(folder) as server:
        started.set_result(server.port)
        await asyncio.Event().wait()
