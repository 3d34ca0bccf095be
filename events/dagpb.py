"""The dag-pb encoding: a block is a list of links and one data field.

The canonical form writes the links before the data, although their field number is the higher
one, and always writes a link's name, even an empty one. Other orders are other CIDs.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from events.cid import node_cid_bytes, varint

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
