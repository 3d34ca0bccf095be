"""What a database of read models says when it has caught up with a log that stands still."""

import asyncio
from pathlib import Path

from events.entry import Entry
from events.log import Log
from projections.runner import Runner
from projections.store import Store


async def digest_at_the_end(path: Path, log: Log) -> str:
    """Go on from where the database is, or from the start if there is none, and hash its rows."""
    store = await Store.open(path)
    runner = Runner(log, store)
    there = asyncio.Event()

    def on_batch(entries: list[Entry], caught_up: bool) -> None:
        if caught_up:
            there.set()

    running = asyncio.ensure_future(runner.run(on_batch))
    await there.wait()
    await runner.flush()
    digest = await store.digest()
    running.cancel()
    await asyncio.wait((running,))
    await store.close()
    return digest
