"""HAMT directories: what a directory becomes when its block would grow above 256 KiB.

A tree of fanout 256. Each level places an entry by the next byte of its name's hash; a bucket of
one is a link named by two hex digits and the name, a bucket of more is a child block named by the
two digits alone. The shape depends on the set of names only, not on the order of insertion, so
the tree is built here from the full set at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from events.cid import varint
from events.dagpb import Node, Sink, link, node
from events.errors import ContentError
from events.murmur3 import murmur3_64

Hashed = tuple[int, bytes, bytes, int]
"""Hash of the name, name, CID in 36 bytes, cumulative size."""

PREFIXES = [b"%02X" % index for index in range(256)]
"""What the names of a shard's links begin with, by slot."""

LEVELS = 8
"""A hash of 64 bits has eight bytes, one a level."""


def hamt(entries: Sequence[tuple[bytes, bytes, int]], sink: Sink | None = None) -> Node:
    """Build the directory of (name, CID, cumulative size) entries whose names differ.

    Raises `ContentError` when two names have the same 64-bit hash, which no directory of ours can
    hold.
    """
    return _shard(_buckets([(murmur3_64(entry[0]), *entry) for entry in entries], 0), 0, sink)


def sorted_hamt(entries: Iterable[Hashed], sink: Sink | None = None) -> Node:
    """Build the same from entries that come in the order of their hashes, of any number.

    It holds those of one first byte at a time. Raises as `hamt` does.
    """
    groups = groupby(entries, key=_first_byte)
    return _shard(((index, list(group)) for index, group in groups), 0, sink)


def _first_byte(entry: Hashed) -> int:
    return entry[0] >> 56


def _buckets(entries: list[Hashed], level: int) -> Iterator[tuple[int, list[Hashed]]]:
    """Group entries by the slots of a level, in the order of slots."""
    if level == LEVELS:
        names = " and ".join(repr(entry[1]) for entry in entries[:2])
        raise ContentError(f"the names {names} collide in a HAMT", hint="Rename one of them")
    buckets: dict[int, list[Hashed]] = {}
    shift = 56 - 8 * level
    for entry in entries:
        buckets.setdefault(entry[0] >> shift & 255, []).append(entry)
    for index in sorted(buckets):
        yield index, buckets.pop(index)


def _shard(buckets: Iterable[tuple[int, list[Hashed]]], level: int, sink: Sink | None) -> Node:
    links: list[bytes] = []
    below_bytes = 0
    bits = 0
    for index, bucket in buckets:
        if len(bucket) == 1:
            _, name, cid, size_bytes = bucket[0]
            name = PREFIXES[index] + name
        else:
            name = PREFIXES[index]
            cid, size_bytes = _shard(_buckets(bucket, level + 1), level + 1, sink)
        links.append(link(name, cid, size_bytes))
        below_bytes += size_bytes
        bits |= 1 << index
    return node(links, shard_data(bits), below_bytes, sink)


def shard_data(bits: int) -> bytes:
    """Return the data field of a shard whose used slots are the bits of a number."""
    bitfield = bits.to_bytes((bits.bit_length() + 7) // 8, "big")
    # Type HAMTShard, bitfield, hash function murmur3-x64-64 (0x22), fanout 256.
    return b"\x08\x05\x12%b%b\x28\x22\x30\x80\x02" % (varint(len(bitfield)), bitfield)


def slot(name: bytes, level: int) -> int:
    """Return the slot, 0 to 255, that a name has in the shards of a level."""
    return murmur3_64(name) >> (56 - 8 * level) & 255
