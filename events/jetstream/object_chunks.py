"""Reading the chunks of one object, from any byte on, by direct gets.

A direct get returns the next messages of a subject at or behind a position, without a consumer.
Where a byte lies in the stream is guessed between places that are known, and each answer is one
more of them: an object written alone is hit at once, one written among others after a few tries.
Objects of other clients do not say where a chunk belongs and are read from the nearest known place.

Direct gets may be answered by a replica that lags behind. What it does not have, and what a bucket
without direct gets does not give, is asked of the stream's leader, chunk by chunk.
"""

import asyncio
from base64 import b64decode
from bisect import bisect_right
from collections.abc import AsyncGenerator
from contextlib import suppress

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.errors import ContentError, LogError
from events.jetstream.api import NO_MESSAGE, Refused, StoredMessage, call
from events.jetstream.object_format import OFFSET, ObjectInfo, chunk_subject, stream_of
from events.jetstream.replies import Replies
from events.jetstream.window import Window

BATCH_BYTES = 2 * 1024 * 1024
"""Asked for at once; a reader holds two batches at most."""

PROBES_GUESSED = 5
"""After so many guesses that missed, the range is halved instead: an end is then sure."""

PLACES_KEPT = 256
DIGITS = 18
NOBODY_ANSWERS = "503"
NO_MORE = ("204", "404", NOBODY_ANSWERS)


class _Chunk(msgspec.Struct):
    """One message of an object; `offset` is -1 while nobody knows it."""

    position: int
    offset: int
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


class _LeadersAnswer(msgspec.Struct):
    message: StoredMessage


class _Batch:
    """Gathers the messages of one direct get up to its end, or to the first gap."""

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []
        self._whole = True

    def take(self, message: Msg) -> list[_Chunk] | None:
        headers = message.headers or {}
        if status := headers.get("Status"):
            if status not in NO_MORE:
                raise LogError(f"the server refused a direct get: {status}")
            return self._chunks
        previous = int(headers.get("Nats-Last-Sequence", 0))
        if self._chunks and previous != self._chunks[-1].position:
            self._whole = False
        if self._whole:
            position = int(headers["Nats-Sequence"])
            self._chunks.append(_Chunk(position, _number(headers.get(OFFSET, "")), message.data))
        return None


class ChunkReader:
    """Reads one object of one bucket; remembers where its chunks are."""

    def __init__(
        self, client: Client, replies: Replies, window: Window, bucket: str, info: ObjectInfo
    ) -> None:
        self.info = info
        self._window = window
        self._client = client
        self._replies = replies
        self._stream = stream_of(bucket)
        self._subject = chunk_subject(bucket, info.nuid)
        self._batch = max(1, BATCH_BYTES // info.chunk_bytes)
        self._places = {0: 1}
        """Offsets of chunks, each with a position from which on the next chunk is that one."""
        self._tells_offsets = True

    async def read(self, offset: int, size_bytes: int) -> AsyncGenerator[bytes, None]:
        """Yield `size_bytes` from `offset` on in pieces, fewer where the object ends.

        The next batch is fetched while one is used, so memory is two batches. Raises `ContentError`
        when chunks are missing, as when the object was replaced meanwhile, and `LogUnavailable`.
        """
        end = min(offset + size_bytes, self.info.size_bytes)
        if offset >= end:
            return
        batch = await self._seek(offset, end)
        ahead: asyncio.Task[list[_Chunk]] | None = None
        try:
            while True:
                after = batch[-1]
                if after.end < end:
                    ahead = asyncio.create_task(
                        self._next(after.end, after.position + 1, end - after.end)
                    )
                for chunk in batch:
                    yield _part(chunk, offset, end)
                if ahead is None:
                    return
                batch, ahead = await ahead, None
        finally:
            if ahead is not None:
                ahead.cancel()
                with suppress(asyncio.CancelledError, LogError, ContentError):
                    await ahead

    async def _seek(self, offset: int, end: int) -> list[_Chunk]:
        """Return chunks that follow each other, the first of which holds the byte at `offset`."""
        low_offset, low, high_offset, high = self._around(offset)
        tries = 0
        while self._tells_offsets and offset >= low_offset + self.info.chunk_bytes:
            guess = self._guess(offset, low_offset, low, high_offset, high, tries)
            tries += 1
            found = await self._get(guess, 1)
            if not found:
                high = guess
            elif found[0].offset < 0:
                self._tells_offsets = False
            elif found[0].offset > offset:
                high_offset, high = found[0].offset, guess
                self._learn(found[0])
            elif found[0].end > offset:
                self._learn(found[0])
                return found
            else:
                low_offset, low = found[0].end, found[0].position + 1
                self._learn(found[0])
        return await self._walk(offset, end)

    def _guess(
        self, offset: int, low_offset: int, low: int, high_offset: int, high: int, tries: int
    ) -> int:
        """Return a position where the chunk may be, from `low` up to but without `high`."""
        if low >= high:
            raise self._lost(offset)
        if tries >= PROBES_GUESSED:
            return (low + high) // 2
        if low == 1 and tries == 0:
            # Nothing is known but the end: right when nobody else wrote at the same time.
            chunks = -(-(high_offset - offset) // self.info.chunk_bytes)
            return max(low, high - chunks)
        if low == 1:
            return low
        between = (offset - low_offset) * (high - low) // max(1, high_offset - low_offset)
        return min(low + between, high - 1)

    def _around(self, offset: int) -> tuple[int, int, int, int]:
        """Return the nearest known places at or before `offset`, and behind it."""
        offsets = sorted(self._places)
        at = bisect_right(offsets, offset)
        low = offsets[at - 1]
        if at < len(offsets):
            return low, self._places[low], offsets[at], self._places[offsets[at]]
        return low, self._places[low], self.info.size_bytes, self.info.position

    async def _walk(self, offset: int, end: int) -> list[_Chunk]:
        """Seek by reading on from the nearest known place before, which may be the right one."""
        at, position, *_ = self._around(offset)
        while True:
            batch = await self._next(at, position, end - at)
            for index, chunk in enumerate(batch):
                if offset < chunk.end:
                    return batch[index:]
            at, position = batch[-1].end, batch[-1].position + 1

    async def _next(self, offset: int, position: int, size_bytes: int) -> list[_Chunk]:
        """Return the chunks that hold `size_bytes` from `offset` on, or the first few of them.

        The first chunk at or behind `position` is that of `offset`.
        """
        wanted = min(self._batch, -(-size_bytes // self.info.chunk_bytes))
        chunks = await self._get(position, wanted)
        if not chunks:
            raise self._lost(offset)
        at = offset
        for chunk in chunks:
            if chunk.offset not in {-1, at} or at + len(chunk.data) > self.info.size_bytes:
                raise self._lost(at)
            chunk.offset = at
            at = chunk.end
        self._learn(chunks[0])
        self._learn(chunks[-1])
        return chunks

    def _learn(self, chunk: _Chunk) -> None:
        self._places[chunk.offset] = chunk.position
        self._places[chunk.end] = chunk.position + 1
        if len(self._places) > PLACES_KEPT:
            self._places = dict(sorted(self._places.items())[::2])

    async def _get(self, position: int, count: int) -> list[_Chunk]:
        """Return up to `count` chunks at or behind `position`, none when there are none."""
        request = {"seq": position, "next_by_subj": self._subject, "batch": count}
        subject = f"$JS.API.DIRECT.GET.{self._stream}"
        size_bytes = count * self.info.chunk_bytes
        await self._window.take(size_bytes)
        try:
            answer = await self._replies.ask(subject, msgspec.json.encode(request), _Batch().take)
            return await answer or await self._ask_leader(position)
        finally:
            self._window.give(size_bytes)

    async def _ask_leader(self, position: int) -> list[_Chunk]:
        request = {"seq": position, "next_by_subj": self._subject}
        try:
            found = await call(
                self._client, f"STREAM.MSG.GET.{self._stream}", request, _LeadersAnswer
            )
        except Refused as refusal:
            if refusal.error.err_code == NO_MESSAGE:
                return []
            raise
        message = found.message
        return [_Chunk(message.seq, _offset(message), b64decode(message.data))]

    def _lost(self, offset: int) -> ContentError:
        return ContentError(
            f"the object {self.info.name} has lost its bytes from {offset} on",
            hint="Publish it again",
        )


def _part(chunk: _Chunk, offset: int, end: int) -> bytes:
    """Return what of a chunk lies between two offsets of the object."""
    if offset <= chunk.offset and chunk.end <= end:
        return chunk.data
    return chunk.data[max(0, offset - chunk.offset) : end - chunk.offset]


def _offset(message: StoredMessage) -> int:
    name = f"{OFFSET}: ".encode()
    for line in b64decode(message.hdrs).split(b"\r\n"):
        if line.startswith(name):
            return _number(line[len(name) :].decode("ascii", "replace"))
    return -1


def _number(text: str) -> int:
    """Read a header that anyone may have written; -1 is as good as none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else -1
