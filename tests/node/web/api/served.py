"""The API of a log in memory, served on a socket of this machine."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from events.memory import MemoryLog
from node.web.access import Access
from node.web.api.serving import Connection, ServedApi
from node.web.api.shared import Api
from node.web.rates import Rate
from tests.node.observer.watched import observing

OFTEN = Rate(burst=100_000, per_s=100_000)


@asynccontextmanager
async def serving(
    api: Api,
    access: Access | None = None,
    *,
    connection: type[Connection] = Connection,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Serve an API and give its URL."""
    bound = socket.create_server(("127.0.0.1", 0), backlog=2_000)
    bound.setblocking(False)
    scheme = "http" if tls is None else "https"
    url = f"{scheme}://127.0.0.1:{bound.getsockname()[1]}"
    access = access or Access(rate=OFTEN)
    async with ServedApi(api, access, bound, connection=connection, tls=tls):
        yield url


@asynccontextmanager
async def observed(log: MemoryLog, folder: Path) -> AsyncIterator[Api]:
    """Observe a log, and give what the API's handlers share."""
    async with observing(log, folder) as observer:
        yield Api(observer)
