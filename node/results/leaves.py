"""The chunks of one file, one after the other, without reading them."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from events.cid import DAG_PB
from events.errors import NotFound
from events.unixfs_reader import Place, below
from publishers.port import Copy


class Leaf(NamedTuple):
    """One chunk: its CID in 36 bytes, where it stands in the file, and how long it is."""

    cid: bytes
    offset: int
    size_bytes: int


async def leaves(copy: Copy, cid: bytes, size_bytes: int) -> AsyncIterator[Leaf]:
    """Yield the chunks of the file that a CID of 36 bytes names, in their order.

    The copy must give verified blocks. Memory is one file node a level. Raises NotFound when it is
    a folder, ContentError for a tree that makes no sense, and what the copy raises.
    """
    if cid[1] != DAG_PB:
        yield Leaf(cid, 0, size_bytes)
        return
    pending = [Place(cid)]
    while pending:
        place = pending.pop()
        if place.leaf:
            assert place.size_bytes is not None
            yield Leaf(place.cid, place.offset, place.size_bytes)
            continue
        parts = below(place, await copy.node(place.cid))
        if any(part.size_bytes is None for part in parts) or not parts:
            raise NotFound("this is a folder and no file")
        pending += reversed(parts)
