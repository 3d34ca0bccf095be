"""The API of a log in memory, served on a socket of this machine."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from events.memory import MemoryLog
from node.web.access import Access
from node.web.api.serving import Connection, ServedApi
from node.web.api.shared import Api
from node.web.listening import listen_for_pages
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
    scheme = "http" if tls is None else "https"
    listener = listen_for_pages("127.0.0.1:0", scheme=scheme, open_to_all=True)
    access = access or Access(rate=OFTEN)
    async with ServedApi(api, access, listener.bound, connection=connection, tls=tls):
        yield listener.url


@asynccontextmanager
async def observed(log: MemoryLog, folder: Path) -> AsyncIterator[Api]:
    """Observe a log, and give what the API's handlers share."""
    async with observing(log, folder) as observer:
        yield Api(observer)
