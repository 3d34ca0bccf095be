"""An export as a log to read, so that what folds a log folds a file by the same code.

Opening reads the file once, start to end: everything is checked, and where every thousandth event
begins is noted. That costs about four seconds and 0.1 MB of memory per million events; reading and
`last` then go through the file, from the mark before `after` on. Of a compressed file the part
before that mark is decompressed again.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from events.archive.check import Checker
from events.archive.files import in_thread, lines, reading, skip_to, step
from events.archive.lines import BaseRef, Header, Piece, Stored, decode_line, decode_record
from events.blobs import missing, verified
from events.errors import ExportError, LogUnavailable, NotAnExport, ReadOnlyLog
from events.log import EVERYTHING, Base, Record
from events.times import parse_ms
from events.wildcards import matches, refuse_overlap

MARK_EVERY = 1_000
_MESSAGE = b'{"position":'
_SUBJECT = b'"subject":"'
_HEADER = b'{"lota":'


class Contents(NamedTuple):
    """What an export holds; `first` and `last` are positions of events, 0 when it has none.

    `sha256` is the digest that it ends with.
    """

    events: int
    blobs: int
    first: int
    last: int
    sha256: str


class FileLog:
    """The read side of `events.log.Log` over one export; positions are those recorded.

    `header` says what was exported, `contents` what came of it, and `blobs` gives what the events
    name. Make it with `open`.
    """

    def __init__(self, path: Path, header: Header, index: "_Index") -> None:
        self._path = path
        self._index = index
        self._closed = False
        self.header = header
        checked = index.checker
        digest = checked.finish().sha256
        self.contents = Contents(checked.events, checked.blobs, checked.first, checked.last, digest)
        self.blobs = FileBlobs(path, index.blobs)

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Check the whole file and return it as a log.

        Raises ExportError, of the kind that says what is wrong, and InvalidInput when the file
        cannot be read.
        """
        index = _Index()
        try:
            async with in_thread(reading(path)) as file:
                content = lines(file)
                while await asyncio.to_thread(index.take, content):
                    pass
            index.checker.finish()
        except ExportError as error:
            raise type(error)(f"{path}: {error.what}", hint=error.hint) from None
        if index.header is None:
            raise NotAnExport(f"{path} has no header", hint="name a file of `lota events export`")
        return cls(path, index.header, index)

    async def base(self) -> Base | None:
        """Return what the log began with when it was exported, None when that was its start."""
        self._check_open()
        reference = self.header.base
        if not isinstance(reference, BaseRef):
            return None
        return Base(reference.position, await self.blobs.get(reference.blob))

    async def read(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        """Yield, in order and in batches, what stands behind `after`; then end."""
        refuse_overlap(filters)
        self._check_open()
        wanted = _Wanted(filters, after)
        mark = bisect_right(self._index.positions, after + 1) - 1
        async with in_thread(reading(self._path)) as file:
            await asyncio.to_thread(skip_to, file, self._index.offsets[mark] if mark >= 0 else 0)
            rest = lines(file)
            more = True
            while more:
                records, more = await asyncio.to_thread(wanted.select, rest)
                self._check_open()
                if records:
                    yield records

    async def last(self, filter: str = EVERYTHING) -> int:
        """Return the position of the last message by `filter`, 0 if there is none."""
        self._check_open()
        if filter in {EVERYTHING, ">"}:
            return self.contents.last
        last = 0
        async for records in self.read((filter,)):
            last = records[-1].position
        return last

    async def position_since(self, time_ms: int) -> int:
        """Return the first position stored at `time_ms` (since the Unix epoch) or later.

        It is one behind what was looked through for the export when there is none. Times that a
        server's clock put out of order are taken as they come.
        """
        self._check_open()
        mark = bisect_left(self._index.times_ms, time_ms) - 1
        async with in_thread(reading(self._path)) as file:
            await asyncio.to_thread(skip_to, file, self._index.offsets[mark] if mark >= 0 else 0)
            content = lines(file)
            while taken := await asyncio.to_thread(step, content):
                found = await asyncio.to_thread(_first_since, taken, time_ms)
                if found:
                    return found
        return self.header.last + 1

    async def close(self) -> None:
        """End every read; safe to repeat."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailable("the log is closed", hint="open the file again")


class FileBlobs:
    """The blobs of one export; see `events.blobs.Blobs`. Nothing can be put there."""

    def __init__(self, path: Path, offsets: dict[str, int]) -> None:
        self._path = path
        self._offsets = offsets

    def keys(self) -> list[str]:
        """Return the CIDs of all blobs in the file, in its order."""
        return list(self._offsets)

    async def put(self, data: bytes) -> str:
        raise ReadOnlyLog("an export takes no blobs", hint="import it into a server")

    async def get(self, key: str) -> bytes:
        if key not in self._offsets:
            raise missing(key)
        return verified(key, await asyncio.to_thread(self._read, key))

    def _read(self, key: str) -> bytes:
        parts = []
        with reading(self._path) as file:
            skip_to(file, self._offsets[key])
            for line in lines(file):
                piece = decode_line(line, 0)
                if not isinstance(piece, Piece) or piece.blob != key:
                    break
                parts.append(piece.data)
        return b"".join(parts)


class _Index:
    """What opening finds: `offsets[i]` is where the message of `positions[i]` begins, which was
    stored at `times_ms[i]`.
    """

    def __init__(self) -> None:
        self.header: Header | None = None
        self.positions: list[int] = []
        self.offsets: list[int] = []
        self.times_ms: list[int] = []
        self.blobs: dict[str, int] = {}
        self.checker = Checker()
        self._offset = 0

    def take(self, rest: Iterator[bytes]) -> bool:
        """Check the next lines and note where they are; say whether there may be more."""
        checker = self.checker
        taken = step(rest)
        for line in taken:
            found = checker.take(line)
            if isinstance(found, Stored):
                if checker.events % MARK_EVERY == 1:
                    self.positions.append(found.position)
                    self.offsets.append(self._offset)
                    self.times_ms.append(parse_ms(found.time))
            elif isinstance(found, Piece):
                self.blobs.setdefault(found.blob, self._offset)
            elif isinstance(found, Header):
                self.header = found
            self._offset += len(line)
        return bool(taken)


class _Wanted:
    """Picks records out of lines by their bytes, and decodes only those that may be wanted."""

    def __init__(self, filters: Sequence[str], after: int) -> None:
        self._after = after
        self._filters = [_Filter(each) for each in filters]

    def select(self, rest: Iterator[bytes]) -> tuple[list[Record], bool]:
        """Return what the next lines hold, and whether there may be more."""
        taken = step(rest)
        records = []
        for line in taken:
            if line.startswith(_MESSAGE):
                subject_at = line.index(_SUBJECT) + len(_SUBJECT)
                if any(line.startswith(f.literal, subject_at) for f in self._filters):
                    record = decode_record(line)
                    if record.position > self._after and self._selects(record.subject):
                        records.append(record)
            elif not line.startswith(_HEADER):
                return records, False
        return records, bool(taken)

    def _selects(self, subject: str) -> bool:
        return any(f.whole or matches(f.filter, subject) for f in self._filters)


def _first_since(taken: list[bytes], time_ms: int) -> int:
    """Return the position of the first message that was stored so late, 0 if there is none."""
    for line in taken:
        if line.startswith(_MESSAGE):
            stored = decode_line(line, 0)
            if isinstance(stored, Stored) and parse_ms(stored.time) >= time_ms:
                return stored.position
    return 0


class _Filter:
    """A filter and its part before the first wildcard, by which most lines are ruled out.

    `whole` says that whatever begins so is selected.
    """

    def __init__(self, filter: str) -> None:
        literal = filter.partition("*")[0].partition(">")[0]
        self.filter = filter
        self.literal = literal.encode()
        self.whole = filter == f"{literal}>"
