"""One try to write one object: its chunks, sent ahead of their acknowledgements.

Chunks reach the stream in the order in which one connection sends them, and that is the object. So
a chunk is never sent twice: when an acknowledgement is missing the try is over, and the next one
has a subject of its own.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from hashlib import sha256

import msgspec
from nats.aio.msg import Msg

from events.errors import LogError, LogUnavailable, WrongExpectedPosition
from events.jetstream.api import UNAVAILABLE, ApiError, Refused
from events.jetstream.appender import CONFLICTS, EXPECTED_FILTER, EXPECTED_POSITION
from events.jetstream.object_format import OFFSET, chunk_subject, new_nuid, tries_filter
from events.jetstream.replies import Replies
from events.jetstream.window import Window

HASHED_IN_LOOP_BYTES = 64 * 1024
"""What takes less time to hash than to hand to a thread."""

SETTLE_S = 1.0

NO_SPACE = (10002, 10023, 10028, 10047)
"""Errors of nats-server for the limits of accounts and servers: all mean that nothing fits."""

STORE_FAILED = 10077
STORE_FULL = ("maximum bytes exceeded", "maximum messages exceeded", "no space left")


class BucketFull(LogError):
    """A limit of the bucket, the account or the server's disk leaves no room."""


class _PubAck(msgspec.Struct):
    seq: int = 0
    error: ApiError | None = None


def _acknowledged(message: Msg) -> int:
    """Return the position under which the server has stored what this answers."""
    if not message.data:
        raise LogUnavailable("no bucket takes what is sent", hint="was it deleted meanwhile?")
    answer = msgspec.json.decode(message.data, type=_PubAck)
    error = answer.error
    if error is None:
        return answer.seq
    what = f"the server refused a part of an object: {error.description}"
    if error.err_code in CONFLICTS:
        raise WrongExpectedPosition(what)
    full = error.err_code == STORE_FAILED and any(text in error.description for text in STORE_FULL)
    if full or error.err_code in NO_SPACE:
        raise BucketFull(what, hint="raise the bucket's or the server's limit, or delete results")
    if error.code == UNAVAILABLE:
        raise LogUnavailable(what)
    raise Refused("an object's part", error)


async def store(
    replies: Replies, subject: str, body: bytes, headers: Mapping[str, str]
) -> "asyncio.Future[int]":
    """Publish one message to a stream; the future is its position once it is stored.

    It raises `WrongExpectedPosition` for a condition in `headers` that does not hold, `BucketFull`,
    and what `Replies.ask` and its answers raise.
    """
    return await replies.ask(subject, body, _acknowledged, headers)


class Draft:
    """The chunks of one try."""

    def __init__(self, replies: Replies, bucket: str, name: str, window: Window) -> None:
        self.nuid = new_nuid(name)
        self.subject = chunk_subject(bucket, self.nuid)
        self.size_bytes = 0
        self.chunks = 0
        self._hash = sha256()
        self._hashing: asyncio.Future[None] | None = None
        self._replies = replies
        self._others = tries_filter(bucket, name)
        self._window = window
        self._under_way: deque[asyncio.Future[int]] = deque()
        self._last = 0
        self.begun = False
        """Whether anything was sent that may have been stored."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was added, once all of it is stored."""
        return self._hash.digest()

    async def begin(self, chunk: bytes) -> bool:
        """Add the first chunk if no other try to write this name, done or not, is there."""
        only = {EXPECTED_POSITION: "0", EXPECTED_FILTER: self._others}
        try:
            self._last = await (await self._send(chunk, only))
        except WrongExpectedPosition:
            self.begun = False
            return False
        await self._count(chunk)
        return True

    async def add(self, chunk: bytes) -> None:
        """Send one more chunk; returns before it is stored. Raises what earlier ones came to."""
        while self._under_way and self._under_way[0].done():
            self._check(self._under_way.popleft().result())
        self._under_way.append(await self._send(chunk, {}))
        await self._count(chunk)

    async def _send(self, chunk: bytes, condition: Mapping[str, str]) -> "asyncio.Future[int]":
        await self._window.take(len(chunk))
        self.begun = True
        headers = {OFFSET: str(self.size_bytes), **condition}
        try:
            stored = await store(self._replies, self.subject, chunk, headers)
        except BaseException:
            self._window.give(len(chunk))
            raise
        stored.add_done_callback(lambda _: self._window.give(len(chunk)))
        return stored

    async def stored(self) -> None:
        """Wait until all chunks are stored; raises when one is not."""
        while self._under_way:
            self._check(await self._under_way.popleft())
        await self._hashed()

    async def settle(self) -> None:
        """Wait shortly for what is under way, whatever becomes of it."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=SETTLE_S)

    def _check(self, position: int) -> None:
        if position <= self._last:
            raise LogError("the server stored the parts of an object in another order")
        self._last = position

    async def _count(self, chunk: bytes) -> None:
        """Hash a chunk, a large one in a thread while the next is sent."""
        await self._hashed()
        if len(chunk) <= HASHED_IN_LOOP_BYTES:
            self._hash.update(chunk)
        else:
            loop = asyncio.get_running_loop()
            self._hashing = loop.run_in_executor(None, self._hash.update, chunk)
        self.size_bytes += len(chunk)
        self.chunks += 1

    async def _hashed(self) -> None:
        if self._hashing is not None:
            await self._hashing
            self._hashing = None
