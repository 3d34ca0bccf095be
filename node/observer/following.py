"""Following the log into read models and keyframes, whatever becomes of the log."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from events.entry import Entry
from events.errors import (
    AnotherLog,
    DatabaseDamaged,
    DatabaseUnusable,
    LogError,
    LogUnavailable,
    NotAdmitted,
)
from events.log import Followed
from events.recognition import look_up
from node.observer.changes import Changes
from node.observer.keyframes import Keyframes
from projections.closed import Closed
from projections.runner import Runner
from projections.statistics.model import Statistics
from projections.store import Store
from projections.track_records import TrackRecords

LAG_EVERY_S = 1.0
ANSWER_S = 2.0
"""After it a log that says nothing is taken for away."""
VERIFIED_EVERY_S = 3.0
RETRY_S = 1.0
KEEP_AGAIN_S = 60.0

log = logging.getLogger(__name__)


def models() -> tuple[Closed, TrackRecords, Statistics]:
    """Return what is kept beside a runner's own read models, with nothing in it."""
    return Closed(), TrackRecords(), Statistics()


class Following:
    """The fold of a log, its rows and its keyframes; `runner` and its models are of the last begin.

    `ready` is set while all is folded that was stored when it began last; `end` is how far the log
    goes, and `away` why that is not known at present, "" if it is. `on_begin` is called whenever it
    begins: the log may be another one then.
    """

    def __init__(
        self, log: Followed, store: Store, keyframes: Keyframes, on_begin: Callable[[], None]
    ) -> None:
        self.log = log
        self.store = store
        self.keyframes = keyframes
        self.changes = Changes()
        self.ready = asyncio.Event()
        self.end = 0
        self.away = ""
        self._due = asyncio.Event()
        self._on_begin = on_begin
        self._begin()

    def _begin(self) -> None:
        """Begin, or begin again, with what the store has; until it is caught up, counts are low."""
        self.ready.clear()
        self.closed, self.track_records, self.counted = kept = models()
        every = self.keyframes.spacing.snapshot
        self.runner = Runner(self.log, self.store, snapshot_every=every, models=kept)
        self._on_begin()

    @property
    def position(self) -> int:
        """The last position that is folded."""
        return self.runner.network.position

    async def run(self) -> None:
        """Follow the log, also when it is replaced by another or loses its end.

        Keyframes whose damage shows late are made anew. Raises what it cannot go on after:
        NotAdmitted, LogError, DatabaseUnusable.
        """
        came_to = -1
        waiting = False
        while True:
            try:
                await self._recognise()
                waiting = False
                await self._run_once()
                break
            except DatabaseDamaged:
                if not self.keyframes.damaged.is_set():
                    raise
                path = self.keyframes.path
                log.warning("%s is damaged: it is begun anew, and the log read again", path)
                self.ready.clear()
                await self.keyframes.renew()
                await self.store.reset()
            except AnotherLog as error:
                log.warning("%s is built anew: %s", self.store.path, error.what)
                await self.store.reset()
                await self.keyframes.drop()
            except NotAdmitted:
                raise
            except LogUnavailable as error:
                log.log(
                    logging.DEBUG if waiting else logging.WARNING,
                    "waiting for the log: %s",
                    error.what,
                )
                waiting = True
                await asyncio.sleep(RETRY_S)
            except LogError as error:
                if self.position <= came_to:
                    raise
                log.warning("looking again at the log: %s", error.what)
                came_to = self.position
            self._begin()
        raise LogUnavailable("the log was closed", hint="begin again")

    async def _recognise(self) -> None:
        """Drop keyframes of another log, and begin anew where they are missing."""
        await self._require_anchor()
        mark = await self.keyframes.newest()
        if mark is None or await look_up(self.log, mark) == "differs":
            await self.keyframes.drop()
            mark = None
        checkpoint = self.store.checkpoint
        if (
            mark is None
            and checkpoint is not None
            and checkpoint.position > self.keyframes.spacing.every
        ):
            log.warning("%s is built anew: there are no keyframes beside it", self.store.path)
            await self.store.reset()

    async def _run_once(self) -> None:
        following = self.runner.run(self._folded)
        others = (self._keep(), self._verify(), self._heed_damage())
        work = [asyncio.ensure_future(each) for each in (following, *others)]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in work:
                if task.done():
                    task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _verify(self) -> None:
        """Look now and then whether this is the same log still: its server may have been wiped.

        Raises AnotherLog when it is not.
        """
        while True:
            await asyncio.sleep(VERIFIED_EVERY_S)
            with suppress(LogUnavailable):
                await self._require_anchor()

    async def _heed_damage(self) -> None:
        """Raise DatabaseDamaged when somebody has met with damage in the keyframes."""
        await self.keyframes.damaged.wait()
        raise DatabaseDamaged(f"{self.keyframes.path} is damaged")

    async def _require_anchor(self) -> None:
        """Raise AnotherLog unless the log has what it had when the store began.

        What is folded last may be of the new log, on top of what was folded of the old one.
        """
        checkpoint = self.store.checkpoint
        if checkpoint is not None and await look_up(self.log, checkpoint.anchor) == "differs":
            raise AnotherLog(f"the log does not have {checkpoint.anchor} any more")

    async def _keep(self) -> None:
        """Keep keyframes as they are due. One that could not be kept makes the past slower."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self.keyframes.keep(self.runner, self.closed, self.track_records)
            except DatabaseDamaged:
                raise
            except DatabaseUnusable as error:
                log.warning("no keyframe at position %d: %s", self.position, error)
                await asyncio.sleep(KEEP_AGAIN_S)

    def _folded(self, entries: list[Entry], caught_up: bool) -> None:  # noqa: FBT001
        self.changes.note(self.position, self.closed.tally.time_ms, entries)
        folded_bytes = sum(len(entry.record.body) for entry in entries)
        if self.keyframes.is_due(self.position, folded_bytes):
            self._due.set()
        if caught_up:
            self.ready.set()

    async def measure(self) -> None:
        """Look now and then how far the log goes."""
        while True:
            await asyncio.sleep(LAG_EVERY_S)
            try:
                async with asyncio.timeout(ANSWER_S):
                    self.end = await self.log.last()
                self.away = ""
            except LogError as error:
                self.away = error.what
            except TimeoutError:
                self.away = f"it has not answered for {ANSWER_S:g} s"
