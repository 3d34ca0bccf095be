"""Building a store of read models anew from the whole log, in place of the old one."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from events.entry import Entry
from events.log import Followed
from projections.read_model import ReadModel, versions_with
from projections.runner import Runner
from projections.store import Store


async def rebuild(log: Followed, path: Path, models: Sequence[ReadModel[Any]] = ()) -> None:
    """Build the store at `path` from the whole log, in place of what is there.

    Nothing may have it open. Raises LogError and DatabaseUnusable.
    """
    fresh = path.with_name(f"{path.name}.new")
    await asyncio.to_thread(remove, fresh)
    store = await Store.open(fresh, versions_with(models))
    try:
        runner = Runner(log, store, models=models)
        await _catch_up(runner)
        await runner.flush(snapshot=True)
    finally:
        await store.close()
    await asyncio.to_thread(_replace, fresh, path)


async def _catch_up(runner: Runner) -> None:
    """Run until all is folded that was stored when this began."""
    there = asyncio.Event()

    def on_batch(_: list[Entry], caught_up: bool) -> None:  # noqa: FBT001
        if caught_up:
            there.set()

    running = asyncio.ensure_future(runner.run(on_batch))
    waiting = asyncio.ensure_future(there.wait())
    try:
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        running.cancel()
        waiting.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)


def _replace(fresh: Path, path: Path) -> None:
    remove(path)
    fresh.replace(path)


def remove(path: Path) -> None:
    """Remove a database; its journal first goes with it, or it would be taken for another's."""
    for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        name.unlink(missing_ok=True)
