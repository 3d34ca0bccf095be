"""Finding a block in a CAR file of version 2, with a few small reads from wherever it is.

Such a file is a CAR of version 1 between a header of 51 bytes and an index: pairs of a digest and
an offset, sorted by digest. Digests are as good as random, so the place of one in a sorted list
can be guessed: two reads find it among a million. Searches are generators that yield (offset,
size) and are sent the bytes, so that one search serves a file here and an object far away.

The format is that of the specification CARv2 with the index `IndexSorted` (0x0400). The file may
be anybody's: all numbers in it are doubted.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import NamedTuple, TypeVar

from events.cid import CID_SIZE_BYTES
from events.errors import ContentError
from events.unixfs_reader import MAX_NODE_BYTES
from publishers.car_blocks import section_size

_PRAGMA = b"\x0a\xa1\x67version\x02"
HEADER_BYTES = 51
ENTRY_BYTES = 40
DIGEST_BYTES = 32
_CODEC = b"\x80\x08"
INDEX_HEADER_BYTES = 18
_FIRST_READ_BYTES = 16 * 1024
_WINDOW = 512  # most guesses among 100,000 are nearer than half of it
_GUESSES_MAX = 64
_KEY_BYTES = 8
_KEYS = 1 << 8 * _KEY_BYTES

Value = TypeVar("Value")
Search = Generator[tuple[int, int], bytes, Value]
"""Yields (offset, size) of what it wants to read, is sent those bytes, and returns a value."""


class Layout(NamedTuple):
    """Where things are in a file of version 2."""

    data_at: int
    data_bytes: int
    entries_at: int
    entries: int


def file_header(data_bytes: int) -> bytes:
    """Return the first 51 bytes of a file with so many bytes of CAR version 1 and an index."""
    numbers = (HEADER_BYTES, data_bytes, HEADER_BYTES + data_bytes)
    return _PRAGMA + bytes(16) + b"".join(number.to_bytes(8, "little") for number in numbers)


def index_header(entries: int) -> bytes:
    """Return what stands before the entries of an index."""
    return b"%b\x01\0\0\0\x28\0\0\0%b" % (_CODEC, (ENTRY_BYTES * entries).to_bytes(8, "little"))


def layout(size_bytes: int) -> Search[Layout]:
    """Return the layout of a file of that size; raises `ContentError` when it is not ours."""
    head = yield 0, HEADER_BYTES
    numbers = [int.from_bytes(head[at : at + 8], "little") for at in (27, 35, 43)]
    data_at, data_bytes, index_at = numbers
    if head[: len(_PRAGMA)] != _PRAGMA or data_at + data_bytes > index_at:
        raise _damaged("is no CAR of version 2 with an index")
    if index_at + INDEX_HEADER_BYTES > size_bytes:
        raise _damaged("ends before its index")
    start = yield index_at, INDEX_HEADER_BYTES
    entries_bytes = int.from_bytes(start[-8:], "little")
    entries = entries_bytes // ENTRY_BYTES
    at = index_at + INDEX_HEADER_BYTES
    if start != index_header(entries) or at + entries_bytes > size_bytes:
        raise _damaged("has an index of another kind, or a part of one")
    return Layout(data_at, data_bytes, at, entries)


def find_block(where: Layout, cid: bytes) -> Search[bytes | None]:
    """Return the bytes of a block, None when the index does not have it; they are not verified.

    Raises `ContentError` when the file contradicts itself.
    """
    offset = yield from _find(where, cid[-DIGEST_BYTES:])
    if offset is None:
        return None
    rest_bytes = where.data_bytes - offset
    if rest_bytes <= 0:
        raise _damaged("has an index that leads out of it")
    data = yield where.data_at + offset, min(rest_bytes, _FIRST_READ_BYTES)
    size_bytes, start = section_size(data)
    start += CID_SIZE_BYTES
    if size_bytes > MAX_NODE_BYTES:
        raise _damaged(f"has a block of {size_bytes} bytes")
    missing_bytes = start + size_bytes - len(data)
    if missing_bytes > 0:
        data += yield where.data_at + offset + len(data), missing_bytes
    if data[start - CID_SIZE_BYTES : start] != cid or len(data) < start + size_bytes:
        raise _damaged("has another block, or a part of one, where its index says")
    return data[start : start + size_bytes]


def _find(where: Layout, digest: bytes) -> Search[int | None]:
    """Return the offset of a digest: guess where it stands, read around it, guess closer."""
    key = int.from_bytes(digest[:_KEY_BYTES], "big")
    low, high = 0, where.entries
    low_key, high_key = 0, _KEYS
    for _ in range(_GUESSES_MAX):
        if low >= high:
            return None
        guess = low + (key - low_key) * (high - low) // max(high_key - low_key, 1)
        first = min(max(guess - _WINDOW // 2, low), max(high - _WINDOW, low))
        count = min(_WINDOW, high - first)
        window = yield where.entries_at + first * ENTRY_BYTES, count * ENTRY_BYTES
        if len(window) != count * ENTRY_BYTES:
            raise _damaged("ends within its index")
        if digest < window[:DIGEST_BYTES]:
            high, high_key = first, _key(window, 0)
        elif digest > window[-ENTRY_BYTES:-8]:
            low, low_key = first + count, _key(window, count - 1)
        else:
            return _within(window, digest)
    raise _damaged("has an index that is not sorted")


def _key(window: bytes, entry: int) -> int:
    return int.from_bytes(window[entry * ENTRY_BYTES :][:_KEY_BYTES], "big")


def _within(window: bytes, digest: bytes) -> int | None:
    at = window.find(digest)
    while at % ENTRY_BYTES and at >= 0:  # a digest that begins within another entry
        at = window.find(digest, at + 1)
    if at < 0:
        return None
    return int.from_bytes(window[at + DIGEST_BYTES : at + ENTRY_BYTES], "little")


def answer(search: Search[Value], read: Callable[[int, int], bytes]) -> Value:
    """Run a search on something that is read at once."""
    try:
        wanted = next(search)
        while True:
            wanted = search.send(read(*wanted))
    except StopIteration as end:
        value: Value = end.value
        return value


async def answer_from(search: Search[Value], read: Callable[[int, int], Awaitable[bytes]]) -> Value:
    """Run a search on something that has to be waited for."""
    try:
        wanted = next(search)
        while True:
            wanted = search.send(await read(*wanted))
    except StopIteration as end:
        value: Value = end.value
        return value


def _damaged(what: str) -> ContentError:
    return ContentError(f"the skeleton {what}", hint="Read from another copy")
