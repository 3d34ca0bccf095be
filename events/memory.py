"""The log and what lies beside it, in memory: for the simulator, and tests without a server.

The log's heart is synchronous and takes the time as an argument, so that a simulator can drive it
step by step under one seed. It answers as a JetStream stream of one replica does, on purpose also
where that is awkward: the fence is checked before the id, so the repeat of a fenced append that
was stored conflicts with itself. A replicated stream answers such a repeat with the first position.
Writers must cope with both, so `append_now` shows the harder one and `append` the other.
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from heapq import merge
from itertools import islice

from events.blobs import missing, verified
from events.cid import raw_cid
from events.errors import LogError, LogUnavailable, WrongExpectedPosition
from events.key_values import VALUE_BYTES_MAX, Value, changed
from events.log import EVERYTHING, Base, Expect, Record, refuse_gap
from events.wildcards import matches, refuse_overlap

BATCH = 1000
"""Records per batch of `read` and `follow`."""

INDEXED_DEPTHS = (4, 5)
"""Subject tokens that lead to one job, and to one job's role: most filters begin with these."""


class MemoryLog:
    """A log that lives as long as the object. `clock_ms` drives the dedupe window of `append`."""

    def __init__(
        self, *, dedupe_window_ms: int = 120_000, clock_ms: Callable[[], int] | None = None
    ) -> None:
        self._records: list[Record] = []
        self._index: dict[str, list[int]] = {}
        self._ids: dict[str, int] = {}
        self._ages: deque[tuple[int, str]] = deque()
        self._dedupe_window_ms = dedupe_window_ms
        self._clock_ms = clock_ms
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False
        self._base: Base | None = None

    def append_now(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None = None, now_ms: int = 0
    ) -> int:
        """Store one message and return its position, or that of the first with this `id`.

        Raises `WrongExpectedPosition` when the fence does not hold, also for the repeat of an
        append that moved the fence itself.
        """
        if expect is not None:
            stands_at = self.last_now(expect.filter)
            if stands_at != expect.position:
                raise WrongExpectedPosition(
                    f"{expect.filter} stands at {stands_at}, not at {expect.position}",
                    hint="read on from the fold and decide again",
                )
        self._forget_ids(now_ms)
        if (first := self._ids.get(id)) is not None:
            return first
        position = len(self._records) + 1
        self._records.append(Record(position, subject, body))
        for prefix in _prefixes(subject):
            self._index.setdefault(prefix, []).append(position)
        self._ids[id] = position
        self._ages.append((now_ms, id))
        self._wake()
        return position

    def archive(self, base: Base) -> None:
        """Forget the messages as far as the base's position, and begin with the base.

        Positions stay, and so does what holds for a stream: the fence of what is gone is 0.
        """
        self._base = base

    def records(
        self, filters: Sequence[str] = (EVERYTHING,), after: int = 0, limit: int = BATCH
    ) -> list[Record]:
        """Return, in order, up to `limit` records behind `after` that a filter selects."""
        refuse_overlap(filters)
        return list(islice(merge(*(self._select(f, after) for f in filters), key=_at), limit))

    def last_now(self, filter: str = EVERYTHING) -> int:
        """Return the position of the last record by `filter`, 0 if there is none."""
        positions, all_match = self._candidates(filter)
        gone = self._gone
        for position in reversed(positions):
            if position <= gone:
                break
            if all_match or matches(filter, self._records[position - 1].subject):
                return position
        return 0

    def append(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None = None
    ) -> "asyncio.Future[int]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        now_ms = self._clock_ms() if self._clock_ms else int(loop.time() * 1000)
        try:
            if self._closed:
                raise LogUnavailable("the log is closed")
            answer.set_result(self.append_now(subject, body, id=id, expect=expect, now_ms=now_ms))
        except WrongExpectedPosition as conflict:
            first = self._ids.get(id)
            if first is None:
                answer.set_exception(conflict)
            else:
                answer.set_result(first)
        except LogUnavailable as error:
            answer.set_exception(error)
        return answer

    async def base(self) -> Base | None:
        if self._closed:
            raise LogUnavailable("the log is closed")
        return self._base

    async def read(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        end = len(self._records)
        while not self._closed:
            batch = [r for r in self.records(filters, after) if r.position <= end]
            if not batch:
                return
            if tuple(filters) == (EVERYTHING,):
                refuse_gap(after, batch)
            after = batch[-1].position
            yield batch
            await asyncio.sleep(0)
        raise LogUnavailable("the log is closed")

    async def follow(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        while not self._closed:
            if after > len(self._records):
                end = len(self._records)
                raise LogError(
                    f"the log ends at {end}, before {after}, which it had already come to",
                    hint="this is not the log that was read before",
                )
            if batch := self.records(filters, after):
                if tuple(filters) == (EVERYTHING,):
                    refuse_gap(after, batch)
                after = batch[-1].position
                yield batch
                await asyncio.sleep(0)
            else:
                await self._growth()

    async def last(self, filter: str = EVERYTHING) -> int:
        if self._closed:
            raise LogUnavailable("the log is closed")
        return self.last_now(filter)

    async def close(self) -> None:
        self._closed = True
        self._wake()

    @property
    def _gone(self) -> int:
        """The last position that was archived."""
        return self._base.position if self._base is not None else 0

    async def _growth(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _forget_ids(self, now_ms: int) -> None:
        while self._ages and now_ms - self._ages[0][0] >= self._dedupe_window_ms:
            del self._ids[self._ages.popleft()[1]]

    def _select(self, filter: str, after: int) -> Iterator[Record]:
        positions, all_match = self._candidates(filter)
        for at in range(bisect_right(positions, max(after, self._gone)), len(positions)):
            record = self._records[positions[at] - 1]
            if all_match or matches(filter, record.subject):
                yield record

    def _candidates(self, filter: str) -> tuple[Sequence[int], bool]:
        """Return the positions to look at, and whether the filter selects all of them."""
        for depth in reversed(INDEXED_DEPTHS):
            tokens = filter.split(".", depth)
            if len(tokens) > depth and "*" not in tokens[:depth]:
                return self._index.get(".".join(tokens[:depth]), ()), tokens[depth] == ">"
        return range(1, len(self._records) + 1), filter in {EVERYTHING, ">"}


def _prefixes(subject: str) -> list[str]:
    tokens = subject.split(".")
    return [".".join(tokens[:depth]) for depth in INDEXED_DEPTHS if len(tokens) > depth]


def _at(record: Record) -> int:
    return record.position


class MemoryBlobs:
    """Blobs that live as long as the object."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        key = raw_cid(data)
        self._blobs[key] = bytes(data)
        return key

    async def get(self, key: str) -> bytes:
        if key not in self._blobs:
            raise missing(key)
        return verified(key, self._blobs[key])


class MemoryKeyValues:
    """Values that live as long as the object."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._revision = 0
        self._changed = asyncio.Event()
        self._closed = False

    async def ensure(self) -> None:
        """It is there as long as the object."""

    async def get(self, key: str) -> Value:
        return self._values.get(key, Value(key, None, 0))

    async def put(self, key: str, data: bytes, *, expect: int) -> int:
        if not 0 < len(data) <= VALUE_BYTES_MAX:
            raise LogError(f"the value of {key} has {len(data)} bytes")
        if (await self.get(key)).revision != expect:
            raise WrongExpectedPosition(changed(key, expect), hint="read it again")
        return self._set(key, data)

    async def delete(self, key: str) -> int:
        return self._set(key, None)

    async def all(self) -> list[Value]:
        return [value for _, value in sorted(self._values.items()) if value.data is not None]

    async def follow(self) -> AsyncIterator[list[Value]]:
        after = 0
        while not self._closed:
            waiting = self._changed
            new = [value for value in self._values.values() if value.revision > after]
            if new:
                after = self._revision
                yield sorted(new, key=lambda value: value.revision)
            else:
                await waiting.wait()

    async def close(self) -> None:
        self._closed = True
        self._wake()

    def _set(self, key: str, data: bytes | None) -> int:
        self._revision += 1
        self._values[key] = Value(key, data, self._revision)
        self._wake()
        return self._revision

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
