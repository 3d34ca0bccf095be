"""How a CAR file of version 1 frames its blocks, and the reader of such files.

A CAR is a header that names the root and then one section per block: a length, the CID, the bytes.
The header of a file with one root of ours has always the same length, so that it can be written
before the root is known.
"""

from collections.abc import Iterator
from typing import IO

from events.cid import CID_SIZE_BYTES, cid_text, is_cid, matches, read_varint, varint
from events.errors import ContentError

MAX_BLOCK_BYTES = 2 << 20
"""The largest block that services take; ours are at most half as large."""

_START = b"\x3a\xa2\x65roots\x81\xd8\x2a\x58\x25\x00"  # length, {"roots": [CID
_END = b"\x67version\x01"  # ], "version": 1}
_VERSION_2 = b"\x0a\xa1\x67version\x02"
_CONTINUES = 0x80
_MAX_LENGTH_BYTES = 4
HEADER_BYTES = len(_START) + CID_SIZE_BYTES + len(_END)
_HINT = "Get the file again, or pack it anew by lota car pack"


def header(root: bytes) -> bytes:
    """Return the header of a CAR with one root, given in 36 bytes."""
    return _START + root + _END


def section(cid: bytes, size_bytes: int) -> bytes:
    """Return what stands before the bytes of a block."""
    return varint(CID_SIZE_BYTES + size_bytes) + cid


def section_bytes(size_bytes: int) -> int:
    """Return what a block of that size takes in a CAR."""
    return len(varint(CID_SIZE_BYTES + size_bytes)) + CID_SIZE_BYTES + size_bytes


def section_size(data: bytes, at: int = 0) -> tuple[int, int]:
    """Return the size of the block whose section begins at `at`, and where its CID begins.

    Raises `ContentError` when it is no section of a block that we would read.
    """
    length, start = read_varint(data, at)
    if not CID_SIZE_BYTES <= length <= CID_SIZE_BYTES + MAX_BLOCK_BYTES:
        raise ContentError(f"a block of {length} bytes with its CID", hint=_HINT)
    return length - CID_SIZE_BYTES, start


class Car(Iterator[tuple[bytes, bytes]]):
    """Reads one CAR from a binary stream, block by block, and checks each; blocks.

    It gives (CID in 36 bytes, bytes) in the order of the file, and holds one block. Raises
    `ContentError` for what is no CAR of version 1 with one root of ours, for a block that does
    not match its CID, and for a file that ends in the middle.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Read the header."""
        self._file = file
        self._at = HEADER_BYTES
        self.root = _root(file.read(HEADER_BYTES))

    def __next__(self) -> tuple[bytes, bytes]:
        length = self._length()
        if not length:
            raise StopIteration
        size_bytes, _ = section_size(length)
        data = self._file.read(CID_SIZE_BYTES + size_bytes)
        cid, block = data[:CID_SIZE_BYTES], data[CID_SIZE_BYTES:]
        if len(block) != size_bytes:
            raise ContentError(f"it ends in the middle of the block at {self._at}", hint=_HINT)
        if not is_cid(cid):
            raise ContentError(f"the block at {self._at} has a CID of another kind", hint=_HINT)
        if not matches(cid, block):
            raise ContentError(
                f"the block at {self._at} is not what its CID {cid_text(cid)} names", hint=_HINT
            )
        self._at += len(length) + len(data)
        return cid, block

    def _length(self) -> bytes:
        """Read the number that a section begins with; nothing at the end of the file."""
        length = self._file.read(1)
        while length and length[-1] >= _CONTINUES and len(length) < _MAX_LENGTH_BYTES:
            more = self._file.read(1)
            if not more:
                break
            length += more
        return length


def _root(data: bytes) -> bytes:
    root = data[len(_START) : -len(_END)]
    if len(data) == HEADER_BYTES and data == header(root) and is_cid(root):
        return root
    if data.startswith(_VERSION_2):
        raise ContentError("it is a CAR of version 2", hint="Only version 1 is read")
    if data[1:8] == _START[1:8] and data[8:9] != _START[8:9]:
        raise ContentError("it is a CAR with none or several roots", hint="Pack one root a file")
    raise ContentError("it is no CAR of version 1 with one root of our kind", hint=_HINT)
