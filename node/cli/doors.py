"""Where a command serves the dashboard, and how it tells."""

import asyncio
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from events.errors import WrongUsage
from node.cli.output import note

if TYPE_CHECKING:
    from node.cli.observed import Observed
    from node.web.dashboard import Door

HOST = "127.0.0.1"
PORT = 8470
"""Taken if it is free, where nobody says another."""


@Parameter(name="*", group=Group("Serving", sort_key=8))
@dataclass(frozen=True)
class Serving:
    """The options of a command that serves the dashboard."""

    listen: Annotated[
        str | None,
        Parameter(help=f"HOST:PORT. Default: {HOST}:{PORT}, or a free port if it is taken."),
    ] = None
    token_file: Annotated[
        Path | None,
        Parameter(help="File of tokens, a line ROLE TOKEN each; roles are read, submit, admin."),
    ] = None
    tls_cert: Annotated[Path | None, Parameter(help="Certificate to serve HTTPS with (PEM).")] = (
        None
    )
    tls_key: Annotated[Path | None, Parameter(help="Its key, if it is not in the same file.")] = (
        None
    )


async def open_door(options: Serving | None) -> "Door":
    """Bind the socket that is asked for. Raises WrongUsage for what cannot be served."""
    from node.web.access import read_tokens
    from node.web.dashboard import Door
    from node.web.listening import listen_for_pages
    from node.web.tls import tls_context

    asked = options or Serving()
    tokens = await asyncio.to_thread(read_tokens, asked.token_file)
    tls = await asyncio.to_thread(tls_context, asked.tls_cert, asked.tls_key)
    scheme = "https" if tls is not None else "http"
    listen = partial(listen_for_pages, scheme=scheme, open_to_all=not tokens)
    if asked.listen is not None:
        listener = await asyncio.to_thread(listen, asked.listen)
    else:
        try:
            listener = listen(f"{HOST}:{PORT}")
        except WrongUsage:
            listener = listen(f"{HOST}:0")
            note(f"lota: port {PORT} is taken, and {listener.url} is served instead")
    return Door(listener.bound, listener.url, tokens, tls)


async def serve_until_interrupted(found: "Observed", door: "Door", *, show: str) -> None:
    """Print the URL to show, and serve the dashboard until Ctrl-C.

    Raises what ends it before.
    """
    from node.cli.interrupts import interrupted
    from node.credentials import take_credentials
    from node.web.dashboard import dashboard

    stopped = interrupted()
    credentials = take_credentials() if found.client is not None else None
    async with dashboard(found.observer, found.client, door, credentials=credentials) as served:
        print(show, flush=True)
        print("serving until Ctrl-C", file=sys.stderr)
        ended = asyncio.ensure_future(served.ended())
        await asyncio.wait(
            (stopped, ended, found.observer.failed), return_when=asyncio.FIRST_COMPLETED
        )
        for task in (ended, found.observer.failed):
            if task.done():
                task.result()
        ended.cancel()
