"""CARv1 in memory: a header that names the root, then blocks, each behind its length and its CID.

For what is small and made by pure functions, like the root of a job. Results, which have no bound,
are streamed by `publishers.car`. Source: the CARv1 specification of IPLD.
"""

from collections.abc import Iterable

from events.cid import varint

# dag-cbor of {"roots": [root], "version": 1}: a link is tag 42 over the bytes 0 and the CID.
_BEFORE_ROOT = b"\xa2eroots\x81\xd8\x2a\x58\x25\x00"
_BEHIND_ROOT = b"gversion\x01"


def header(root: bytes) -> bytes:
    """Return the first bytes of a CAR whose root is this CID of 36 bytes."""
    text = _BEFORE_ROOT + root + _BEHIND_ROOT
    return varint(len(text)) + text


def section(cid: bytes, block: bytes) -> bytes:
    """Return one block as it stands in a CAR."""
    return varint(len(cid) + len(block)) + cid + block


def car(root: bytes, blocks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a CAR of (CID in 36 bytes, block), in the order given."""
    return header(root) + b"".join(section(cid, block) for cid, block in blocks)
