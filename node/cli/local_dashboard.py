"""The dashboard of `lota dev`, in the process of its nodes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from events.connection import connect
from events.jetstream import History, open_log
from node.observer.folder import locked_folder
from node.observer.observer import Observer
from node.web.dashboard import Door, dashboard


@asynccontextmanager
async def local_dashboard(url: str, folder: Path, door: Door) -> AsyncIterator[None]:
    """Observe the log of a server from a folder, and serve the dashboard of it."""
    async with AsyncExitStack() as stack:
        client = await connect(url, name="dashboard")
        stack.push_async_callback(client.close)
        log = await open_log(client)
        stack.push_async_callback(log.close)
        history = History(client)
        stack.push_async_callback(history.close)
        kept = stack.enter_context(locked_folder(folder))
        observer = await stack.enter_async_context(Observer.open(log, kept, history.position_since))
        await stack.enter_async_context(dashboard(observer, client, door))
        yield
