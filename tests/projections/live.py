"""A runner at work on a log in memory, for tests that end it when they want."""

import asyncio
from collections.abc import Sequence
from typing import Any

from events.codec import PRESENT, Codec
from events.entry import Entry
from events.memory import MemoryLog
from projections.kept_fold import EVERY
from projections.network import Network
from projections.read_model import ReadModel
from projections.runner import Runner
from projections.store import Store


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

    async def kill(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))
