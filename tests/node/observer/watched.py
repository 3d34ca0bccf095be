"""Observers of logs in memory, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from events.memory import MemoryLog
from node.observer.keyframes import SPACING, Spacing
from node.observer.observer import Observer


async def no_times(time_ms: int) -> int:
    """Stand for a log that keeps no times."""
    raise NotImplementedError


@asynccontextmanager
async def observing(
    log: MemoryLog, folder: Path, spacing: Spacing = SPACING
) -> AsyncIterator[Observer]:
    """Observe a log; it is caught up with what the log has."""
    folder.mkdir(exist_ok=True)
    async with Observer.open(log, folder, no_times, spacing=spacing) as observer:
        await observer.ready.wait()
        yield observer


async def reached(observer: Observer, position: int) -> None:
    """Wait until an observer has folded a position."""
    changes = observer.changes()
    while observer.position < position:
        await anext(changes)
    await changes.aclose()
