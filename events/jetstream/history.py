"""The log with all that the server keeps of a message: its time and its id, not its body alone.

A fold needs neither, and the reader that serves it is the faster for it. An export needs both.
Messages come by direct gets, a batch at a time and one ahead. A replica may lag behind and answer
with less than there is; what it does not have is asked of the stream's leader.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.archive.lines import Stored
from events.errors import LogError
from events.jetstream.api import NO_MESSAGE, Refused, call
from events.jetstream.replies import Replies
from events.jetstream.stream import STREAM
from events.jetstream.twin import as_recorded
from events.log import EVERYTHING
from events.times import parse_ms

BATCH_MESSAGES = 1_000
BATCH_BYTES = 2 * 1024 * 1024
NO_MORE = ("204", "404", "503")
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
    state: _State


class History:
    """Reads the log's stream with times and ids; of a twin, those that the first log had."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._replies = Replies(client)

    async def bounds(self) -> tuple[int, int]:
        """Return the first position that the stream holds and its last; an empty log is (1, 0)."""
        state = (await call(self._client, f"STREAM.INFO.{STREAM}", {}, _Info)).state
        return max(1, state.first_seq), state.last_seq

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
        ahead = asyncio.ensure_future(self._get(filter, first))
        try:
            while batch := await ahead:
                if filter == EVERYTHING and batch[0][0] != first:
                    raise LogError(
                        f"positions {first} to {batch[0][0] - 1} are not in the log any more",
                        hint="the beginning of the log was archived meanwhile: begin again",
                    )
                end = batch[-1][0]
                first = end + 1
                if end < last:
                    ahead = asyncio.ensure_future(self._get(filter, first))
                if wanted := [stored for position, stored in batch if position <= last]:
                    yield wanted
                if end >= last:
                    return
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def close(self) -> None:
        """Stop listening; safe to repeat."""
        await self._replies.close()

    async def _get(self, filter: str, first: int) -> list[_Numbered]:
        """Return some of the messages from `first` on; none when there are no more."""
        request = {
            "seq": first,
            "next_by_subj": filter,
            "batch": BATCH_MESSAGES,
            "max_bytes": BATCH_BYTES,
        }
        subject = f"$JS.API.DIRECT.GET.{STREAM}"
        answer = await self._replies.ask(subject, msgspec.json.encode(request), _Batch().take)
        if batch := await answer:
            return batch
        found = await self._ask_leader(first, filter)
        return [] if found is None else [found]

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


class _Batch:
    """Gathers the messages of one direct get up to its end, or to the first gap."""

    def __init__(self) -> None:
        self._found: list[_Numbered] = []
        self._whole = True

    def take(self, message: Msg) -> list[_Numbered] | None:
        headers = message.headers or {}
        if status := headers.get("Status"):
            if status not in NO_MORE:
                raise LogError(f"the server refused a direct get: {status}")
            return self._found
        previous = int(headers.get("Nats-Last-Sequence", 0))
        self._whole = self._whole and (not self._found or previous == self._found[-1][0])
        if self._whole:
            position = int(headers["Nats-Sequence"])
            self._found.append((position, _stored(position, headers, message.data)))
        return None


def _stored(position: int, headers: Mapping[str, str], body: bytes) -> Stored:
    subject, time = headers["Nats-Subject"], headers["Nats-Time-Stamp"]
    return as_recorded(position, subject, time, headers, body)


def _headers(block: bytes) -> dict[str, str]:
    """Return the header lines of a message as the leader gives them, in one block."""
    lines = (line.partition(":") for line in block.decode().split("\r\n"))
    return {name: value.strip() for name, colon, value in lines if colon}
