"""Finding one's way in a tree of UnixFS blocks that somebody else may have made.

A reader stands at a place: a block, and what the blocks above it said of it. From the block's
bytes follow the places below it. So whoever walks a tree, from a disk or over a network, brings
the blocks and checks their hashes, and what is right and wrong in a tree stands here alone.

A hash proves that a block is the one that was named, not that it makes sense. What only a forger
writes is refused: names that lead out of a folder, sizes that do not add up, trees too deep to
walk. As sizes add up, a tree that would take for ever to read says so at its root.
"""

from typing import NamedTuple

from events.cid import DAG_PB, RAW, read_varint
from events.dagpb import Link, decode
from events.errors import ContentError
from events.hamt import LEVELS, PREFIXES, shard_data, slot
from events.unixfs import (
    CHUNK_SIZE_BYTES,
    DIRECTORY_DATA,
    MAX_DEPTH,
    MAX_DIRECTORY_BLOCK_BYTES,
    is_name,
)

MAX_NODE_BYTES = MAX_DIRECTORY_BLOCK_BYTES
"""A folder in one block may take it; shards and file nodes take a third of it, leaves are bytes."""

_FILE_DATA = b"\x08\x02\x18"
_SHARD_DATA = b"\x08\x05"
_FILE_LEVELS = 6  # 1,024 to the power of it is more chunks than a size can count
_SLOTS = {prefix: index for index, prefix in enumerate(PREFIXES)}


class Place(NamedTuple):
    """A block in a tree, and what is known of it before it is read.

    `path` is the file's or folder's that it belongs to, as bytes. `depth` counts the folders above;
    `level` the blocks of the same file, or of the same folder, above. `offset` and `size_bytes` say
    which bytes of the file a part of one holds; an entry of a folder has no `size_bytes` yet.
    """

    cid: bytes
    path: bytes = b""
    dag_size_bytes: int | None = None
    depth: int = 0
    level: int = 0
    offset: int = 0
    size_bytes: int | None = None
    slot: int = 0

    @property
    def leaf(self) -> bool:
        """Whether the block is bytes of a file and nothing else."""
        return self.cid[1] == RAW

    @property
    def entry(self) -> bool:
        """Whether this is a file or folder, rather than a block inside of one."""
        return not self.level


def below(place: Place, block: bytes) -> list[Place]:
    """Return the places that a block links to, in its order.

    `block` is not a leaf, and matches the place's CID. Raises `ContentError` when it is no block of
    our profile, or not what the blocks above it said.
    """
    links, data = decode(block)
    total = len(block) + sum([link.dag_size_bytes for link in links])
    if place.dag_size_bytes not in {None, total}:
        raise _wrong(place, f"takes {total} bytes with all below, not {place.dag_size_bytes}")
    if data[:3] == _FILE_DATA and (place.entry or place.size_bytes is not None):
        return _parts(place, links, data)
    if place.size_bytes is not None:
        raise _wrong(place, "has a folder within a file")
    if data[:2] == _SHARD_DATA:
        return _slots(place, links, data)
    if data != DIRECTORY_DATA or not place.entry:
        raise _wrong(place, "is neither a file nor a folder of our profile")
    return _entries(place, links)


def file_size_bytes(block: bytes) -> int | None:
    """Return how many bytes the file has whose uppermost block this is; None for a folder."""
    _, data = decode(block)
    return read_varint(data, len(_FILE_DATA))[0] if data[:3] == _FILE_DATA else None


def find(place: Place, block: bytes, name: bytes) -> Place | None:
    """Return the place of a name below a folder, None when the folder does not have it.

    In a large folder it may be another block of the same folder, with a `level`: read it, and ask
    again there. Raises `ContentError` as `below` does.
    """
    places = below(place, block)
    if any(found.size_bytes is not None for found in places):
        return None  # a file has parts, but no names
    wanted = place.path + b"/" + name if place.path else name
    index = None
    for found in places:
        if found.entry:
            if found.path == wanted:
                return found
        else:
            index = slot(name, place.level) if index is None else index
            if found.slot == index:
                return found
    return None


def _entries(place: Place, links: list[Link]) -> list[Place]:
    before = b""
    places: list[Place] = []
    for link in links:
        if link.name <= before:
            raise _wrong(place, f"has {link.name!r} out of order")
        before = link.name
        places.append(_entry(place, link.name, link))
    return places


def _entry(place: Place, name: bytes, link: Link) -> Place:
    if not is_name(name):
        raise _wrong(place, f"holds {name!r}, which is no file name")
    if place.depth > MAX_DEPTH:
        raise _wrong(place, f"lies more than {MAX_DEPTH} folders deep")
    _, cid, size_bytes = link
    if cid[1] == RAW and size_bytes > CHUNK_SIZE_BYTES:
        raise _wrong(place, f"holds a chunk of {size_bytes} bytes")
    path = place.path + b"/" + name if place.path else name
    return Place(cid, path, size_bytes, place.depth + 1)


def _slots(place: Place, links: list[Link], data: bytes) -> list[Place]:
    if place.level >= LEVELS:
        raise _wrong(place, "has shards deeper than a hash is long")
    bits = 0
    places: list[Place] = []
    for link in links:
        index = _SLOTS.get(link.name[:2], -1)
        if bits >> max(index, 0) or index < 0:
            raise _wrong(place, f"has the slot {link.name[:2]!r} out of order")
        bits |= 1 << index
        if len(link.name) > len(PREFIXES[0]):
            places.append(_entry(place, link.name[2:], link))
        elif link.cid[1] == DAG_PB:
            level = place.level + 1
            size_bytes = link.dag_size_bytes
            places.append(Place(link.cid, place.path, size_bytes, place.depth, level, slot=index))
        else:
            raise _wrong(place, "has a file where a shard must be")
    if data != shard_data(bits):
        raise _wrong(place, "has other entries than its bitfield says")
    return places


def _parts(place: Place, links: list[Link], data: bytes) -> list[Place]:
    if place.level >= _FILE_LEVELS:
        raise _wrong(place, "has more levels than a file can have")
    size_bytes, at = read_varint(data, len(_FILE_DATA))
    if place.size_bytes not in {None, size_bytes}:
        raise _wrong(place, f"has {size_bytes} bytes where {place.size_bytes} must be")
    offset = place.offset
    places: list[Place] = []
    for _, cid, dag_size_bytes in links:
        part_bytes, after = read_varint(data, at + 1)
        if data[at] != 0x20 or not part_bytes:  # noqa: PLR2004 - field 4, as a number
            raise _wrong(place, "has a part without a size")
        if cid[1] == RAW and not part_bytes == dag_size_bytes <= CHUNK_SIZE_BYTES:
            raise _wrong(place, f"has a chunk of {part_bytes} bytes in {dag_size_bytes}")
        places.append(
            Place(cid, place.path, dag_size_bytes, place.depth, place.level + 1, offset, part_bytes)
        )
        offset += part_bytes
        at = after
    if at != len(data) or offset != place.offset + size_bytes or not links:
        raise _wrong(place, f"has parts that do not add up to {size_bytes} bytes")
    return places


def _wrong(place: Place, what: str) -> ContentError:
    shown = place.path.decode("utf-8", "backslashreplace") or "the root"
    return ContentError(f"{shown} {what}", hint="No honest tool packs this: do not use it")
