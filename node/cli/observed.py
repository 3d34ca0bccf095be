"""Observing the log of a server, or an export of one, for the time of one command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from node.cli.server import Server, connected, find_server

if TYPE_CHECKING:
    from nats.aio.client import Client

    from node.observer.observer import Observer

PATIENCE_S = 1.0
"""How long one waits without being told for what."""
SHOWN_EVERY_S = 0.1


class Observed(NamedTuple):
    """An observer, and its connection to the server; None when it reads a file."""

    observer: "Observer"
    client: "Client | None"


@asynccontextmanager
async def observed(options: Server | None) -> AsyncIterator[Observed]:
    """Observe the log of the server; all that is stored now is folded when this is entered.

    That shows on stderr if it takes a while. Raises LogUnavailable, LogError, DatabaseUnusable.
    """
    async with observing(options) as found:
        await caught_up(found.observer)
        yield found


@asynccontextmanager
async def observing(options: Server | None) -> AsyncIterator[Observed]:
    """Observe the log of the server without waiting for anything."""
    from events.jetstream import History
    from node.observer.folder import cache_folder, locked_folder
    from node.observer.observer import Observer

    server = find_server(options).context
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connected(options))
        history = History(connection.client)
        stack.push_async_callback(history.close)
        folder = stack.enter_context(locked_folder(cache_folder(server.server)))
        opened = Observer.open(connection.log, folder, history.position_since)
        yield Observed(await stack.enter_async_context(opened), connection.client)


@asynccontextmanager
async def observing_file(file: Path) -> AsyncIterator[Observed]:
    """Observe an export without waiting for more than its check. Raises ExportError."""
    from events.archive.file_log import FileLog
    from node.observer.folder import cache_folder, locked_folder
    from node.observer.observer import Observer
    from node.observer.standing import StandingLog

    log = await FileLog.open(file)
    with locked_folder(cache_folder(log.contents.sha256)) as folder:
        async with Observer.open(StandingLog(log), folder, log.position_since) as observer:
            yield Observed(observer, None)


async def caught_up(observer: "Observer") -> None:
    """Wait until all is folded that was stored when the observer began, with a bar on stderr.

    Raises what made the observer fail.
    """
    from node.cli.event_progress import EventProgress

    waiting = asyncio.ensure_future(observer.ready.wait())
    both = (waiting, observer.failed)
    try:
        await asyncio.wait(both, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if not (waiting.done() or observer.failed.done()):
            begun = observer.position
            with EventProgress("reading the log", observer.lag) as progress:
                while not (waiting.done() or observer.failed.done()):
                    await asyncio.wait(
                        both, timeout=SHOWN_EVERY_S, return_when=asyncio.FIRST_COMPLETED
                    )
                    progress.add(observer.position - begun)
                    begun = observer.position
        if observer.failed.done():
            observer.failed.result()
    finally:
        waiting.cancel()
