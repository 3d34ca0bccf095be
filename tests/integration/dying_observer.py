"""An observer in a process to be killed: python -m tests.integration.dying_observer URL FOLDER.

Prints the position whenever it has come further.
"""

import asyncio
import sys
from pathlib import Path

from events.connection import connect
from events.jetstream import History, open_log
from node.observer.keyframes import Spacing
from node.observer.observer import Observer

SPACING = Spacing(every=10, share=1e9, snapshot=30)


async def observe(url: str, folder: Path) -> None:
    """Follow the log until killed."""
    client = await connect(url, name="observer")
    log = await open_log(client)
    history = History(client)
    async with Observer.open(log, folder, history.position_since, spacing=SPACING) as observer:
        print(observer.position, flush=True)
        async for change in observer.changes():
            print(change.position, flush=True)


if __name__ == "__main__":
    asyncio.run(observe(sys.argv[1], Path(sys.argv[2])))
