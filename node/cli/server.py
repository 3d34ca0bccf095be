"""Which server a command talks to, and the connection to it.

The flag wins, then `--context`, and then it goes as for every client: see `events.client.contexts`.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from events.client import contexts
from node.cli.output import note
from node.redaction import hide, url_secrets

if TYPE_CHECKING:
    from nats.aio.client import Client

    from events.jetstream import JetStreamLog

CLIENT_NAME = "cli"
"""What a command is called on the log, as the author of its requests, and by the server."""

SERVER_HELP = (
    "URL of the NATS server, nats://HOST:PORT, several separated by commas. "
    "Default: LOTA_SERVER, then the context in use, then nats://127.0.0.1:4222."
)


@Parameter(name="*", group=Group("Server", sort_key=9))
@dataclass(frozen=True)
class Server:
    """The options of every command that talks to a server."""

    server: Annotated[str | None, Parameter(help=SERVER_HELP)] = None
    context: Annotated[str | None, Parameter(help="A saved context: server, credentials.")] = None


@dataclass(frozen=True)
class Connection:
    """An open connection and the log on it."""

    client: "Client"
    log: "JetStreamLog"


def find_server(options: Server | None, environ: Mapping[str, str] = os.environ) -> contexts.Found:
    """Return the server to use; no text shows its secrets from here on.

    Raises NotFound for a context that does not exist.
    """
    server, context = (options.server, options.context) if options else (None, None)
    found = contexts.find_server(server, context, environ)
    for url in found.context.server.split(","):
        hide(*url_secrets(url))
    hide(found.context.password, found.context.token)
    return found


@asynccontextmanager
async def connected_client(options: Server | None) -> AsyncIterator["Client"]:
    """Connect to the server for the time of one command. Raises LogUnavailable."""
    from events.connection import connect

    server = find_server(options).context
    client = await connect(
        server.server,
        name=CLIENT_NAME,
        user=server.user or None,
        password=server.password or None,
        token=server.token or None,
        credentials=server.creds_path,
        on_disconnect=_lost,
        on_reconnect=_back,
    )
    try:
        yield client
    finally:
        with suppress(OSError):  # what a server that is away was still to be sent
            await client.close()


@asynccontextmanager
async def connected(options: Server | None) -> AsyncIterator[Connection]:
    """Connect and attach to the log for the time of one command.

    Raises LogUnavailable when there is no server or no JetStream, StreamMismatch for a foreign
    stream.
    """
    from events.jetstream import open_log

    async with connected_client(options) as client:
        log = await open_log(client)
        try:
            yield Connection(client, log)
        finally:
            await log.close()


def _lost() -> None:
    note("lota: the connection to the server is lost; waiting for it to come back")


def _back() -> None:
    note("lota: connected again")
