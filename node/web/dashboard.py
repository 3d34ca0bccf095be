"""The dashboard of one process: the API, the pages and the metrics over one observer."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from socket import socket
from typing import NamedTuple

from nats.aio.client import Client

from events.jetstream import JetStreamLog
from node.credentials import Credentials
from node.observer.observer import Observer
from node.web.access import Access, Token
from node.web.api.gateway import Gateway
from node.web.api.serving import ServedApi
from node.web.api.shared import Api
from node.web.metrics import metrics_route
from node.web.pages import page_routes
from node.web.process_metrics import ProcessMetrics
from node.web.view_route import api_views


class Door(NamedTuple):
    """Where it is served and to whom: a bound socket, its URL, and the tokens that are asked for.

    Without a token this machine alone is served.
    """

    bound: socket
    url: str
    tokens: Sequence[Token] = ()
    tls: ssl.SSLContext | None = None

    def page(self, job: str = "") -> str:
        """Return the URL of the pages, or of the page of a job."""
        return f"{self.url}/ui/#/jobs/{job}" if job else f"{self.url}/ui/"


@asynccontextmanager
async def dashboard(
    observer: Observer,
    client: Client | None,
    door: Door,
    *,
    credentials: Credentials | None = None,
    allow_paths: Sequence[str] = (),
) -> AsyncIterator[ServedApi]:
    """Serve what an observer knows; `client` is its connection to NATS, None for a file.

    Published results are read with `credentials`, and jobs may name files below `allow_paths`.
    """
    gateway = None
    if client is not None and isinstance(observer.log, JetStreamLog):
        read = (credentials or Credentials()).read
        gateway = await Gateway.open(client, observer.log, read, allow_paths)
    api = Api(observer, gateway)
    process = ProcessMetrics(client, {"events": api.events, "changes": api.changes})
    more = [*page_routes(), *api_views(api), metrics_route(observer, process)]
    access = Access(door.tokens, tls=door.tls is not None)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(process.measuring())
        served = ServedApi(api, access, door.bound, more=more, tls=door.tls)
        yield await stack.enter_async_context(served)
