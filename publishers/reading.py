"""Reading a result from any copy of it: what is there, a file, a range of one, or everything.

A copy is a stranger's word, and the CID is what was agreed on. Every block is checked before it is
used, so what arrives is right or an error; and only the blocks on the way to what is asked for are
read. Memory is a few chunks of 1 MiB, however large the result.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Literal, NamedTuple

from events.cid import cid_bytes, cid_text
from events.errors import ContentError, NotFound
from events.unixfs_reader import Place, file_size_bytes
from publishers.blocks import leaves, places_below, read_leaf, read_node, resolve, tampered
from publishers.pipeline import in_order
from publishers.port import Copy
from publishers.sorted_places import BATCH, SortedPlaces
from publishers.threads import in_thread

AHEAD = 4
"""Blocks under way at the same time: enough to fill a line, few enough to hold."""

RUN = 256
"""Entries that need no reading are given together."""

SHARDS_AT_ONCE = 16


class Entry(NamedTuple):
    """A file or folder of a result.

    `path` is relative to the result, as `os.fsdecode` gives it, and empty for the result itself.
    `size_bytes` is the file's, and for a folder the cumulative size of its blocks. `cid` is text.
    """

    path: str
    kind: Literal["file", "folder"]
    size_bytes: int
    cid: str


async def stat(copy: Copy, cid: str, path: str) -> Entry:
    """Return what is at a path of the result `cid`.

    Raises `NotFound` when it has no such path, `PublishError` when the copy fails or is false.
    """
    place, block = await resolve(copy, _root(cid), path)
    return _entry(place, block)


async def entries(
    copy: Copy, cid: str, path: str = "", *, recursive: bool = False
) -> AsyncGenerator[Entry, None]:
    """Give what is in a folder, in the byte order of names; recursive, each folder before its own.

    A folder of a million names is sorted by way of a temporary file. Raises as `stat` does, and
    `NotFound` for a file.
    """
    place, block = await resolve(copy, _root(cid), path)
    if _entry(place, block).kind == "file":
        raise NotFound(f"{path!r} is a file", hint="Name a folder")

    async def look(run: list[Place]) -> list[tuple[Place, bytes]]:
        return [(inner, b"" if inner.leaf else await read_node(copy, inner)) for inner in run]

    stack = [Listing(in_order(_runs(copy, place, block), look, ahead=AHEAD))]
    try:
        while stack:
            found = await stack[-1].next()
            if found is None:
                await stack.pop().close()
                continue
            entry = _entry(*found)
            yield entry
            if recursive and entry.kind == "folder":
                stack.append(Listing(in_order(_runs(copy, *found), look, ahead=AHEAD)))
    finally:
        for listing in reversed(stack):
            await listing.close()


async def fetch(
    copy: Copy, cid: str, path: str, *, offset: int = 0, size_bytes: int | None = None
) -> AsyncGenerator[bytes, None]:
    """Stream a file of the result `cid`, or a range of it, in chunks of at most 1 MiB.

    Only the chunks that hold the range are read. A range beyond the end is cut, to nothing if need
    be. Raises as `stat` does, and `NotFound` for a folder.
    """
    place, block = await resolve(copy, _root(cid), path)
    entry = _entry(place, block)
    if entry.kind == "folder":
        raise NotFound(f"{path!r} is a folder", hint="Name a file of the result")
    end = entry.size_bytes if size_bytes is None else min(entry.size_bytes, offset + size_bytes)
    if offset >= end and entry.size_bytes:
        return

    async def read(leaf: Place) -> tuple[Place, bytes]:
        return leaf, await read_leaf(copy, leaf)

    parts = leaves(copy, place, block, offset, end)
    async with aclosing(in_order(parts, read, ahead=AHEAD)) as chunks:
        async for leaf, data in chunks:
            wanted = data[max(offset - leaf.offset, 0) : end - leaf.offset]
            if wanted:
                yield wanted


async def verify(copy: Copy, cid: str) -> None:
    """Read every block of the result `cid`; raise `PublishError` unless all are there and right."""
    root = _root(cid)

    async def read(leaf: Place) -> None:
        await read_leaf(copy, leaf)

    found = leaves(copy, root, await read_node(copy, root))
    async with aclosing(in_order(found, read, ahead=AHEAD)) as good:
        async for _ in good:
            pass


def _root(cid: str) -> Place:
    root = Place(cid_bytes(cid))
    if root.leaf:
        raise NotFound(f"{cid} is one chunk of a file, not a result", hint="Give a result's CID")
    return root


def _entry(place: Place, block: bytes) -> Entry:
    path, cid = os.fsdecode(place.path), cid_text(place.cid)
    try:
        size_bytes = place.dag_size_bytes if place.leaf else file_size_bytes(block)
    except ContentError as error:
        raise tampered(error.what) from error
    if size_bytes is not None:
        return Entry(path, "file", size_bytes, cid)
    below_bytes = place.dag_size_bytes
    if below_bytes is None:
        below_bytes = len(block) + sum(
            inner.dag_size_bytes or 0 for inner in places_below(place, block)
        )
    return Entry(path, "folder", below_bytes, cid)


class Listing:
    """The entries of one folder, one by one, of which runs are read ahead."""

    def __init__(self, runs: AsyncGenerator[list[tuple[Place, bytes]], None]) -> None:
        self._runs = runs
        self._run: Iterator[tuple[Place, bytes]] = iter(())

    async def next(self) -> tuple[Place, bytes] | None:
        """Return the next entry with its uppermost block; None at the end."""
        while True:
            for found in self._run:
                return found
            run = await anext(self._runs, None)
            if run is None:
                return None
            self._run = iter(run)

    async def close(self) -> None:
        """Stop reading ahead; safe to repeat."""
        await self._runs.aclose()


async def _runs(copy: Copy, folder: Place, block: bytes) -> AsyncGenerator[list[Place], None]:
    """Give the entries of one folder by name: leaves together, what has to be read alone."""
    before = folder
    run: list[Place] = []
    async with aclosing(_names(copy, folder, block)) as names:
        async for batch in names:
            for place in batch:
                if place.path == before.path:
                    raise tampered(f"{os.fsdecode(place.path)} stands twice in its folder")
                before = place
                if place.leaf and len(run) < RUN:
                    run.append(place)
                    continue
                if run:
                    yield run
                run = [place]
                if not place.leaf:
                    yield run
                    run = []
    if run:
        yield run


async def _names(copy: Copy, folder: Place, block: bytes) -> AsyncGenerator[list[Place], None]:
    """Give the entries of one folder by name; those of a HAMT stand in the order of hashes."""
    first = places_below(folder, block)
    if all(place.entry for place in first):
        yield sorted(first, key=_path)
        return
    places = SortedPlaces(folder)
    try:
        await _collect(copy, first, places)
        async with aclosing(in_thread(places.batches(), ahead=1)) as batches:
            async for batch in batches:
                yield batch
    finally:
        await asyncio.to_thread(places.close)


def _path(place: Place) -> bytes:
    return place.path


async def _collect(copy: Copy, places: list[Place], entries: SortedPlaces) -> None:
    """Read the shards of a folder, a few at a time, and put all of its entries aside."""
    shards = [place for place in places if not place.entry]
    found = [place for place in places if place.entry]
    while shards:
        now, shards = shards[-SHARDS_AT_ONCE:], shards[:-SHARDS_AT_ONCE]
        reads = [read_node(copy, shard) for shard in now]
        for shard, block in zip(
            now, await asyncio.gather(*reads, return_exceptions=True), strict=True
        ):
            if isinstance(block, BaseException):
                raise block
            for place in places_below(shard, block):
                (found if place.entry else shards).append(place)
        if len(found) >= BATCH:
            await asyncio.to_thread(entries.add, found)
            found = []
    await asyncio.to_thread(entries.add, found)
