"""The dag-pb encoding: a block is a list of links and one data field.

The canonical form writes the links before the data, although their field number is the higher
one, and always writes a link's name, even an empty one. Other orders are other CIDs.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from events.cid import is_cid, node_cid_bytes, read_varint, varint
from events.errors import ContentError

_DATA = 0x0A
_LINK = 0x12
_CID = b"\x0a\x24"
_NAME = 0x12
_SIZE = 0x18

Sink = Callable[[bytes, bytes | memoryview], None]
"""Takes each block as it is made: its CID in 36 bytes, and its bytes.

Children come before their parents and the root comes last. The bytes may be a view of a buffer
that is used again: they are valid during the call only.
"""


class Node(NamedTuple):
    """A block and all below it: its CID in 36 bytes, and the sum of the sizes of all its blocks.

    A block that is linked twice counts twice in `dag_size_bytes`, as everywhere in UnixFS.
    """

    cid: bytes
    dag_size_bytes: int


class Link(NamedTuple):
    """One link of a block that was read: its name, CID in 36 bytes, and cumulative size."""

    name: bytes
    cid: bytes
    dag_size_bytes: int


def link(name: bytes, cid: bytes, dag_size_bytes: int) -> bytes:
    """Encode one link, ready to stand in a block."""
    fields = b"\x0a\x24%b\x12%b%b\x18%b" % (cid, varint(len(name)), name, varint(dag_size_bytes))
    return b"\x12%b%b" % (varint(len(fields)), fields)


def block(links: Iterable[bytes], data: bytes) -> bytes:
    """Encode one block of links, in the order given, and data."""
    return b"%b\x0a%b%b" % (b"".join(links), varint(len(data)), data)


def node(links: Iterable[bytes], data: bytes, below_bytes: int, sink: Sink | None) -> Node:
    """Make a block, hand it to `sink`, and return it; `below_bytes` is what its links add up to."""
    encoded = block(links, data)
    cid = node_cid_bytes(encoded)
    if sink is not None:
        sink(cid, encoded)
    return Node(cid, len(encoded) + below_bytes)


def decode(encoded: bytes) -> tuple[list[Link], bytes]:
    """Return the links and the data of a block; the inverse of `block`.

    The block may be anybody's. Raises `ContentError` for all but the canonical form with CIDs of
    ours, each link with a name and a size, since no other can stand in a tree of our profile.
    """
    links: list[Link] = []
    at, end = 0, len(encoded)
    try:
        while encoded[at] == _LINK:
            size_bytes, start = read_varint(encoded, at + 1)
            at = start + size_bytes
            cid = encoded[start + 2 : start + 38]
            if encoded[start : start + 2] != _CID or encoded[start + 38] != _NAME:
                raise _no_block("a link without a CID and a name")
            if not is_cid(cid):
                raise _no_block("a link to a CID of another kind")
            name_bytes, start = read_varint(encoded, start + 39)
            after = start + name_bytes
            if encoded[after] != _SIZE:
                raise _no_block("a link without a size")
            name = encoded[start:after]
            size_bytes, after = read_varint(encoded, after + 1)
            if after != at:
                raise _no_block("a link of another length than it says")
            links.append(Link(name, cid, size_bytes))
        size_bytes, start = read_varint(encoded, at + 1)
        if encoded[at] != _DATA or start + size_bytes != end:
            raise _no_block("something else than links and then data")
    except IndexError as error:
        raise _no_block("an end in the middle") from error
    return links, encoded[start:]


def _no_block(what: str) -> ContentError:
    return ContentError(
        f"a block has {what}", hint="It is damaged, or packed by another profile than ours"
    )
