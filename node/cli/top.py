"""`lota top`: the network as it is, on one screen that keeps up with it."""

import asyncio
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from node.cli.output import OutputOption, console, show_document
from node.cli.server import Server

if TYPE_CHECKING:
    from rich.live import Live

    from node.observer.observer import Observer

IDLE_S = 1.0
"""After so long it is drawn again although nothing happened: the sparklines move on."""


async def top(
    *,
    once: Annotated[bool, Parameter(negative=())] = False,
    output: OutputOption = "table",
    server: Server | None = None,
) -> None:
    """Watch the network: nodes and what they have in hand, the last minutes, the last events.

    It is drawn anew when something has happened, four times a second at most; q or Ctrl-C ends it.
    Where stdout is no terminal, it is shown once.

    Example: lota top --once -o json

    Parameters
    ----------
    once
        Show it once.
    """
    from node.cli.observed import observed

    async with observed(server) as found:
        if once or output != "table" or not sys.stdout.isatty():
            await _once(found.observer, output)
        else:
            await _watch(found.observer)


async def _once(observer: "Observer", output: Any) -> None:
    from node.cli.top_view import top_view

    document = await _document(observer)
    if output == "table":
        screen = console()
        screen.print(top_view(document, fill=screen.is_terminal))
    else:
        show_document(document, output)


async def _document(observer: "Observer") -> dict[str, Any]:
    from events.clock import now_ms
    from node.cli.top_document import top_document

    return await top_document(observer, now_ms())


async def _watch(observer: "Observer") -> None:
    """Draw until a key, or until the log cannot be followed any more."""
    from rich.live import Live

    screen = console()
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        drawing = asyncio.ensure_future(_draw(observer, live))
        leaving = asyncio.ensure_future(_left())
        try:
            await asyncio.wait(
                (drawing, leaving, observer.failed), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in (drawing, leaving):
                task.cancel()
            await asyncio.gather(drawing, leaving, return_exceptions=True)
    for task in (drawing, observer.failed):
        if task.done() and not task.cancelled():
            task.result()


async def _left() -> None:
    """Wait for the key that ends it; where there are no keys, for ever."""
    if not sys.stdin.isatty():
        await asyncio.Event().wait()
    from node.cli.keys import END, Keys

    with Keys(sys.stdin.fileno()) as keys:
        while await keys.next() not in ("q", "Q", END):
            pass


async def _draw(observer: "Observer", live: "Live") -> None:
    """Draw what there is, at each change and now and then besides."""
    from node.cli.top_view import top_view

    async with aclosing(observer.changes()) as changes:
        change = asyncio.ensure_future(anext(changes))
        try:
            while True:
                view = top_view(await _document(observer), live.console.height)
                live.update(view, refresh=True)
                await asyncio.wait((change,), timeout=IDLE_S)
                if change.done():
                    change.result()
                    change = asyncio.ensure_future(anext(changes))
        finally:
            change.cancel()
            await asyncio.gather(change, return_exceptions=True)
