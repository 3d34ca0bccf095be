"""The log's port: one totally ordered, append-only sequence of messages.

Implementations: `events.memory.MemoryLog` and `events.jetstream.JetStreamLog`. Both are held to
`tests/contracts/test_log.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from events.errors import LogError

EVERYTHING = "lota.ev.>"


class Record(msgspec.Struct, frozen=True, gc=False):
    """One stored message; `position` is the log's sequence, from 1 on, and means nothing else.

    `stored_ms` is when the server stored it, 0 where a log does not say. No state follows from it.
    """

    position: int
    subject: str
    body: bytes
    stored_ms: int = 0


class Expect(msgspec.Struct, frozen=True, gc=False):
    """The fence: the last position by `filter` must still be `position` (0: none yet).

    Every writer under one filter must use the same filter string: only then is it safe on a
    replicated stream.
    """

    filter: str
    position: int


class Base(msgspec.Struct, frozen=True):
    """What a log begins with whose beginning was archived: the fold up to and with `position`.

    `state` is bytes to the log; `projections.base` writes and reads them.
    """

    position: int
    state: bytes


def refuse_gap(after: int, records: Sequence[Record]) -> None:
    """Raise LogError when between `after` and a record of the whole log others are missing.

    Behind 0, which is before any beginning, the log may begin where it does.
    """
    missing = records[-1].position - (after or records[0].position - 1) - len(records)
    if missing:
        raise LogError(
            f"{missing:,} event(s) between positions {after} and {records[-1].position} are not "
            "there any more",
            hint="the beginning of the log was archived: begin again at its base",
        )


class Readable(Protocol):
    """What is there to read: a log, or an export of one (`events.archive.file_log.FileLog`).

    All methods may raise `LogUnavailable`.
    """

    async def base(self) -> Base | None:
        """Return what a fold from nothing begins with, None when the first message is still there.

        Such a fold then reads behind the base's position: messages at or before it may be there
        still, and are part of it. Raises NotFound when the base is lost, ContentError when damaged.
        """
        ...

    def read(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        """Yield, in order and in batches, what is stored now behind `after`; then end."""
        ...

    async def last(self, filter: str = EVERYTHING) -> int:
        """Return the position of the last message by `filter`, 0 if there is none; never stale."""
        ...

    async def close(self) -> None:
        """End every read and release what is held; safe to repeat."""
        ...


class Followed(Readable, Protocol):
    """What is there to read, and what comes."""

    def follow(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        """Yield, in order and in batches, all behind `after`, and go on with what comes.

        This and `read` raise LogError when they give the whole log and some of it behind an `after`
        other than 0 was archived: a fold that went on without it would be wrong.
        """
        ...


class Log(Followed, Protocol):
    """Append and read. All methods may raise `LogUnavailable`."""

    def append(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None = None
    ) -> "asyncio.Future[int]":
        """Store one message and resolve to its position.

        `id` makes a repeat harmless within the dedupe window: a repeat after a lost ack resolves
        to the position of the first. The future raises `WrongExpectedPosition` when the fence
        does not hold and `AppendTimeout` when no answer came. Appends of one log object reach the
        log in the order of the calls.
        """
        ...
