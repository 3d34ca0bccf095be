"""Deliveries to one receiver: reads the log, sends what the books say, and keeps the standing.

Whatever ends it (a crash, a takeover, a lost connection), the next one begins from the standing
that was saved last. It is saved by compare-and-set, so of two that deliver at one time one stops
when it saves; until then some events arrive twice, and none is left out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any

import msgspec

from events.clock import now_ms
from events.errors import AppendTimeout, EventError, LogError, LogUnavailable, WrongExpectedPosition
from events.log import Log, Record
from node.redaction import redacted
from node.webhooks.book import Book, Pace, Read, Send
from node.webhooks.envelope import id_of, job_of
from node.webhooks.registration import Failure, Progress, Webhook
from node.webhooks.registry import Registry
from node.webhooks.sending import Outcome

SAVE_S = 1.0
LAST_SAVE_S = 2.0
WAIT_S_MAX = 60.0
READ_EVENTS = 16
READ_BYTES = 256 * 1024
"""What of a late job is read at one time."""

Post = Callable[[Record], Awaitable[Outcome]]

log = logging.getLogger(__name__)


class GivenUp(Exception):
    """The receiver wants nothing any more, or has taken nothing for too long; says why."""


class Delivery:
    """Runs until it is cancelled or raises: `GivenUp`, LogError, what `post` raises.

    `WrongExpectedPosition` means that somebody else has changed the standing since `revision`.
    """

    def __init__(
        self,
        webhook: Webhook,
        progress: Progress,
        revision: int,
        *,
        events_log: Log,
        registry: Registry,
        post: Post,
        pace: Pace,
        chance: Callable[[], float],
    ) -> None:
        self._webhook = webhook
        self._begun = progress
        self._saved = progress
        self._revision = revision
        self._log = events_log
        self._registry = registry
        self._post = post
        self._pace = pace
        self._chance = chance
        self._skipped = 0
        self._last_accepted_ms = progress.last_accepted_ms
        self._last_failure = progress.last_failure
        self._book = Book(
            progress.position,
            progress.late,
            failing_since_ms=progress.failing_since_ms,
            pace=pace,
        )
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Deliver."""
        for work in (self._feed(), self._keep_up(), self._pump(), self._keep_saving()):
            self._spawn(work)
        try:
            await self._ended
        finally:
            # What is under way may arrive; it is not known, so it will be sent again.
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(LogError, TimeoutError):
                async with asyncio.timeout(LAST_SAVE_S):
                    await self._save()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)

        def done(task: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) and not self._ended.done():
                self._ended.set_exception(error)
                self._ended.exception()  # it counts as seen also when we are cancelled first

        task.add_done_callback(done)

    def _note_change(self) -> None:
        """Something is under way no more: there may be more to send, or more room."""
        self._changed.set()
        self._room.set()

    # From the log

    async def _feed(self) -> None:
        """Take what the log has and what comes, as long as there is room for it."""
        filters = self._webhook.filters
        async with aclosing(self._log.follow(filters, after=self._begun.position)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                self._book.feed(self._events(batch), batch[-1].position)
                self._changed.set()
                while not self._book.room:
                    self._room.clear()
                    await self._room.wait()
        raise LogUnavailable("the log is closed")

    async def _keep_up(self) -> None:
        """Let the position follow the log also where it has nothing for this webhook.

        Without that, what an administrator drops from the log could not be told from what was
        owed, and the next to deliver would look through all of it again.
        """
        while True:
            await asyncio.sleep(self._pace.keep_up_ms / 1_000)
            with suppress(LogUnavailable):
                end = await self._log.last()
                # In this order: all that is wanted up to `end` lies at or before the last wanted.
                wanted = [await self._log.last(one) for one in self._webhook.filters]
                if max(wanted) <= self._book.fed < end:
                    self._book.feed([], end)

    def _events(self, batch: list[Record]) -> list[tuple[str, Record]]:
        found = []
        for record in batch:
            try:
                found.append((job_of(record), record))
            except EventError as error:
                self._skipped += 1
                log.debug("webhook %s skips %s: %s", self._webhook.id, record.position, error)
        return found

    async def _read(self, step: Read) -> None:
        """Read what the log has of one late job, or some of it."""
        filters = msgspec.structs.replace(self._webhook, job=step.job).filters
        records: list[Record] = []
        upto, complete = step.after, True
        try:
            async with aclosing(self._log.read(filters, after=step.after)) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    some = _first(batch)
                    records = [record for _, record in self._events(some)]
                    upto = some[-1].position
                    # More may follow; if none does, the next read says so.
                    complete = False
                    break
        except LogError as error:
            log.info("webhook %s: job %s could not be read: %s", self._webhook.id, step.job, error)
            self._book.postponed(step.job, now_ms())
        else:
            self._book.refilled(step.job, records, upto, complete=complete)
        self._note_change()

    # To the receiver

    async def _pump(self) -> None:
        """Begin whatever the books say, as soon as they do."""
        while True:
            self._changed.clear()
            while (step := self._book.next(now_ms())) is not None:
                self._spawn(self._send(step) if isinstance(step, Send) else self._read(step))
            due_ms = self._book.wake_ms()
            wait_s = WAIT_S_MAX if due_ms is None else max(0, due_ms - now_ms()) / 1_000
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, WAIT_S_MAX)):
                    await self._changed.wait()

    async def _send(self, step: Send) -> None:
        outcome = await self._post(step.record)
        now = now_ms()
        if outcome.accepted:
            self._last_accepted_ms = now
            self._book.accepted(step.job, now)
        else:
            self._note_failure(step, outcome, now)
        self._note_change()

    def _note_failure(self, step: Send, outcome: Outcome, now: int) -> None:
        next_ms = self._book.failed(step.job, now, chance=self._chance(), hold_ms=outcome.hold_ms)
        what = redacted(outcome.what)
        self._last_failure = Failure(
            time_ms=now,
            event=id_of(step.record),
            job=step.job,
            tries=step.tries + 1,
            what=what,
            next_ms=next_ms,
        )
        log.info(
            "webhook %s: %s of job %s: %s", self._webhook.id, step.record.position, step.job, what
        )
        if outcome.gone:
            raise GivenUp(f"the receiver says {what}")
        if self._book.hopeless(now):
            raise GivenUp(f"it has accepted nothing for too long; the last failure: {what}")

    # The standing

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            try:
                await self._save()
            except WrongExpectedPosition:
                raise
            except (AppendTimeout, LogUnavailable) as error:
                # If it was stored after all, the next try conflicts, and all begins from there.
                log.info("webhook %s: its position was not saved: %s", self._webhook.id, error)

    async def _save(self) -> None:
        progress = self._progress()
        if progress != self._saved:
            self._revision = await self._registry.save(self._webhook.id, progress, self._revision)
            self._saved = progress

    def _progress(self) -> Progress:
        book, begun = self._book, self._begun
        position, late = book.standing()
        return msgspec.structs.replace(
            begun,
            position=position,
            late=late,
            accepted=begun.accepted + book.accepted_count,
            failed=begun.failed + book.failed_count,
            skipped=begun.skipped + self._skipped,
            last_accepted_ms=self._last_accepted_ms,
            failing_since_ms=book.failing_since_ms,
            last_failure=self._last_failure,
        )


def _first(batch: list[Record]) -> list[Record]:
    """Return the first records of a batch: at least one, and what there is memory for."""
    room = READ_BYTES
    for number, record in enumerate(batch[:READ_EVENTS]):
        room -= len(record.body)
        if room < 0 and number:
            return batch[:number]
    return batch[:READ_EVENTS]
