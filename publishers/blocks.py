"""Blocks of a copy, each checked against its CID before anybody looks at it."""

import asyncio
import os
from collections.abc import AsyncGenerator

from events.cid import cid_text, matches
from events.errors import ContentError, NotFound, PublishError
from events.unixfs_reader import MAX_NODE_BYTES, Place, below, find
from publishers.port import Copy

_HASHED_HERE_BYTES = 32 * 1024
"""Hashing that much takes less than going to a thread."""


async def read_node(copy: Copy, place: Place) -> bytes:
    """Return the block of a folder, or of a file of several chunks, as its CID names it.

    Raises `PublishError`: `missing` when the copy does not have it, `tampered` when it is another.
    """
    try:
        block = await copy.node(place.cid)
    except NotFound as error:
        raise _missing(place, error) from error
    if len(block) > MAX_NODE_BYTES:
        raise tampered(f"the block {cid_text(place.cid)} is too large to be a folder's or file's")
    return await _checked(place, block)


async def read_leaf(copy: Copy, place: Place) -> bytes:
    """Return one chunk of a file, as its CID names it; raises as `read_node` does."""
    size_bytes = place.dag_size_bytes or 0
    if not size_bytes:
        return await _checked(place, b"")  # no copy needs to be asked for nothing
    try:
        data = await copy.leaf(place.cid, os.fsdecode(place.path), place.offset, size_bytes)
    except NotFound as error:
        raise _missing(place, error) from error
    return await _checked(place, data)


def places_below(place: Place, block: bytes) -> list[Place]:
    """Return the places below a block; raises `PublishError` for a tree that makes no sense."""
    try:
        return below(place, block)
    except ContentError as error:
        raise tampered(error.what) from error


async def resolve(copy: Copy, root: Place, path: str) -> tuple[Place, bytes]:
    """Return the file or folder at a path, and its uppermost block; nothing for that of a leaf.

    It reads the folders on the way, and of a large one only the shards. Raises `NotFound` when the
    tree has no such path, `PublishError` when the copy fails.
    """
    missing = NotFound(f"there is no {path!r}", hint="List what there is by lota result ls")
    try:
        names = os.fsencode(path).split(b"/") if path else []
    except UnicodeEncodeError:
        raise missing from None
    place = root
    block = b"" if root.leaf else await read_node(copy, root)
    for name in names:
        found: Place | None = place
        while found is not None:
            try:
                found = None if found.leaf else find(found, block, name)
            except ContentError as error:
                raise tampered(error.what) from error
            if found is None:
                raise missing
            block = b"" if found.leaf else await read_node(copy, found)
            if found.entry:
                place = found
                break
    return place, block


async def leaves(
    copy: Copy, place: Place, block: bytes, start: int = 0, end: int | None = None
) -> AsyncGenerator[Place, None]:
    """Give the leaves at and below a place, in the order of the tree.

    With `start` and `end`, only those with bytes of this range: the place is then a file's.
    """
    if place.leaf:
        yield place
        return
    stack = [iter(places_below(place, block))]
    while stack:
        inner = next(stack[-1], None)
        if inner is None:
            stack.pop()
        elif end is not None and not _overlaps(inner, start, end):
            continue
        elif inner.leaf:
            yield inner
        else:
            stack.append(iter(places_below(inner, await read_node(copy, inner))))


def tampered(what: str) -> PublishError:
    """Return the error for a copy that is not what it says."""
    return PublishError(
        "tampered", what, permanent=True, hint="Read from another copy, and publish it again"
    )


def _overlaps(place: Place, start: int, end: int) -> bool:
    size_bytes = place.size_bytes or 0
    return place.offset < end and place.offset + size_bytes > start


async def _checked(place: Place, block: bytes) -> bytes:
    if len(block) <= _HASHED_HERE_BYTES:
        good = matches(place.cid, block)
    else:
        good = await asyncio.to_thread(matches, place.cid, block)
    if not good:
        raise tampered(f"{_shown(place)} is not what the CID {cid_text(place.cid)} names")
    return block


def _missing(place: Place, error: NotFound) -> PublishError:
    return PublishError(
        "missing", f"{_shown(place)} is not there: {error.what}", hint="Read from another copy"
    )


def _shown(place: Place) -> str:
    return place.path.decode("utf-8", "backslashreplace") or "the root"
