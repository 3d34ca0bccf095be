"""The log with all that the server keeps of a message: its time and its id, not its body alone.

A fold needs no more than the milliseconds, and the reader that serves it is the faster for it. An
export needs both, as they were first recorded. It does not begin again when the connection is lost,
as a reader does: an export can.
"""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.archive.lines import BaseRef, Stored
from events.errors import LogError, LogUnavailable
from events.jetstream.api import NO_MESSAGE, Refused, call, last_message
from events.jetstream.base import base_of
from events.jetstream.consumer import Consumer, ConsumerLost
from events.jetstream.stream import STREAM
from events.jetstream.twin import as_recorded
from events.log import EVERYTHING
from events.times import parse_ms, rfc3339_ns

TICK_S = 0.25
AGAIN = "is the server up, and the log whole? Begin again"
_Numbered = tuple[int, Stored]
"""A position in this stream, and the message as it was first recorded."""


class _Found(msgspec.Struct):
    seq: int
    subject: str
    time: str
    hdrs: bytes = b""
    data: bytes = b""


class _Answer(msgspec.Struct):
    message: _Found


class _State(msgspec.Struct):
    first_seq: int
    last_seq: int


class _Info(msgspec.Struct):
    config: dict[str, Any]
    state: _State


class History:
    """Reads the log's stream with times and ids; of a twin, those that the first log had."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._closed = False

    async def bounds(self) -> tuple[int, int]:
        """Return the first position of the log, behind its base, and its last.

        A log that never had a message is (1, 0).
        """
        found = await call(self._client, f"STREAM.INFO.{STREAM}", {}, _Info)
        base = base_of(found.config.get("metadata") or {})
        begin = base.position + 1 if base is not None else 1
        return max(begin, found.state.first_seq), found.state.last_seq

    async def base(self) -> BaseRef | None:
        """Return where the base of the log is, None when its first message is still there."""
        found = await call(self._client, f"STREAM.INFO.{STREAM}", {}, _Info)
        return base_of(found.config.get("metadata") or {})

    async def time_of(self, position: int) -> str:
        """Return when the message at `position`, or the next that is there, was stored, RFC 3339.

        Raises LogError when there is none.
        """
        found = await self._ask_leader(position, EVERYTHING)
        if found is None:
            raise LogError(f"the log has nothing at {position} or behind it")
        return found[1].time

    async def position_since(self, time_ms: int) -> int:
        """Return the first position stored at `time_ms` (since the Unix epoch) or later.

        It is one behind the end when there is none. Times that a server's clock put out of order
        are taken as they come.
        """
        low, last = await self.bounds()
        high = last + 1
        while low < high:
            middle = (low + high) // 2
            found = await self._ask_leader(middle, EVERYTHING)
            if found is None or parse_ms(found[1].time) >= time_ms:
                high = middle
            else:
                low = found[0] + 1
        return low

    async def read(
        self, filter: str, *, first: int, last: int
    ) -> AsyncGenerator[list[Stored], None]:
        """Yield, in order and in batches, what `filter` selects from `first` to `last`, inclusive.

        Raises LogUnavailable when the server goes away, and LogError when part of the log was
        dropped meanwhile: what was read until then was whole.
        """
        newest = await last_message(self._client, STREAM, filter)
        end = min(last, newest.seq if newest else 0)
        if first > end:
            await self._refuse_later_beginning(filter, first)
            return
        began = first
        consumer = Consumer(self._client, STREAM, [filter], first - 1, _numbered)
        try:
            await consumer.open()
            while first <= end:
                if self._closed:
                    raise LogUnavailable("the log is closed", hint="connect again")
                if batch := await consumer.take(TICK_S):
                    if filter == EVERYTHING:
                        _refuse_gaps(first, batch)
                    if wanted := [stored for position, stored in batch if position <= last]:
                        yield wanted
                    first = batch[-1][0] + 1
            await self._refuse_later_beginning(filter, began)
        except ConsumerLost as error:
            raise LogUnavailable(f"reading was cut short: {error.what}", hint=AGAIN) from None
        finally:
            await consumer.close()

    async def close(self) -> None:
        """End what is being read; safe to repeat."""
        self._closed = True

    async def _refuse_later_beginning(self, filter: str, first: int) -> None:
        """A part of a log has gaps: that it may have lost some shows where the log begins now."""
        begin = (await self.bounds())[0] if filter != EVERYTHING else first
        if begin > first:
            what = f"the log was archived meanwhile, and begins at position {begin} now"
            raise LogError(what, hint=AGAIN)

    async def _ask_leader(self, first: int, filter: str) -> _Numbered | None:
        request = {"seq": first, "next_by_subj": filter}
        try:
            answer = await call(self._client, f"STREAM.MSG.GET.{STREAM}", request, _Answer)
        except Refused as refusal:
            if refusal.error.err_code == NO_MESSAGE:
                return None
            raise
        found = answer.message
        headers = _headers(found.hdrs)
        return found.seq, as_recorded(found.seq, found.subject, found.time, headers, found.data)


def _numbered(position: int, rest: str, message: Msg) -> _Numbered:
    """Build what an export needs of a message; `rest` begins with the server's time."""
    time = rfc3339_ns(int(rest.partition(".")[0]))
    headers = message.headers or {}
    return position, as_recorded(position, message.subject, time, headers, message.data)


def _refuse_gaps(first: int, batch: list[_Numbered]) -> None:
    """All of a log has no gaps, unless its beginning is archived while it is read."""
    if batch[-1][0] - first + 1 == len(batch):
        return
    for expected, (found, _) in enumerate(batch, first):
        if found != expected:
            what = f"positions {expected} to {found - 1} are not there any more"
            raise LogError(what, hint=AGAIN)


def _headers(block: bytes) -> dict[str, str]:
    """Return the header lines of a message as the leader gives them, in one block."""
    lines = (line.partition(":") for line in block.decode().split("\r\n"))
    return {name: value.strip() for name, colon, value in lines if colon}
