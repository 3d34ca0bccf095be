"""A runner at work on a log in memory, for tests that end it when they want."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

from events.codec import PRESENT, Codec
from events.entry import Entry
from events.log import Record
from events.memory import MemoryLog
from projections.kept_fold import EVERY
from projections.network import Network
from projections.read_model import ReadModel
from projections.runner import Runner
from projections.store import Store
from tests.projections.story import extend


class Live:
    """A runner at work, with the signals that a test waits for."""

    def __init__(
        self,
        log: MemoryLog,
        store: Store,
        *,
        snapshot_every: int = EVERY,
        codec: Codec = PRESENT,
        models: Sequence[ReadModel[Any]] = (),
    ) -> None:
        self.runner = Runner(
            log, store, Network(codec), snapshot_every=snapshot_every, models=models
        )
        self.entries: list[Entry] = []
        self._caught_up = asyncio.Event()
        self._grown = asyncio.Event()
        self._task = asyncio.ensure_future(self.runner.run(self._on_batch))

    def _on_batch(self, entries: list[Entry], caught_up: bool) -> None:
        self.entries += entries
        self._grown.set()
        if caught_up:
            self._caught_up.set()

    async def caught_up(self) -> None:
        waiting = asyncio.ensure_future(self._caught_up.wait())
        await asyncio.wait((waiting, self._task), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            self._task.result()

    async def reached(self, position: int) -> None:
        while self.runner.network.position < position:
            self._grown.clear()
            await self._grown.wait()

    async def cut_off(self, turns: int, *, snapshot: bool = False) -> None:
        """Begin a flush, and let it die after so many turns of the loop."""
        flushing = asyncio.ensure_future(self.runner.flush(snapshot=snapshot))
        for _ in range(turns):
            await asyncio.wait((flushing,), timeout=0)
        flushing.cancel()
        await asyncio.wait((flushing,))

    async def flushed(self) -> None:
        """Write all that is there, and end."""
        await self.caught_up()
        await self.runner.flush()
        await self.kill()

    async def kill(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))


async def many_lives(
    log: MemoryLog,
    records: Sequence[Record],
    chance: Random,
    every: int,
    opened: Callable[[], Awaitable[Store]],
    models: Callable[[], Sequence[ReadModel[Any]]],
) -> None:
    """Let a runner die again and again, wherever it is, while a log grows to these records."""
    at = 0
    while at < len(records):
        store = await opened()
        live = Live(log, store, snapshot_every=every, models=models())
        await live.caught_up()
        extend(log, tuple(records[at : at + chance.randint(1, 120)]))
        at = await log.last()
        if chance.random() < 0.5:
            await live.reached(at)
        snapshot = chance.random() < 0.3
        await live.cut_off(chance.randint(0, 40), snapshot=snapshot)
        if chance.random() < 0.5:
            await live.runner.flush()
        await live.kill()
        await store.close()
    store = await opened()
    await Live(log, store, models=models()).flushed()
    await store.close()
