"""Reads blocks back, written apart from the code that makes them, and reads nothing else."""

from hashlib import sha256
from typing import NamedTuple

from events.cid import DAG_PB


class Link(NamedTuple):
    """One link of a decoded block."""

    name: bytes
    cid: bytes
    size_bytes: int


class Blocks:
    """A sink that keeps every block, and walks what it was given."""

    def __init__(self) -> None:
        self.by_cid: dict[bytes, bytes] = {}
        self.last = b""

    def __call__(self, cid: bytes, block: bytes | memoryview) -> None:
        assert cid[4:] == sha256(block).digest()
        self.by_cid[cid] = bytes(block)
        self.last = cid

    def links(self, cid: bytes) -> list[Link]:
        """Return the links of a block, none for a raw one."""
        if cid[1] != DAG_PB:
            return []
        return [_link(value) for field, value in _fields(self.by_cid[cid]) if field == 2]

    def dag_size_bytes(self, cid: bytes) -> int:
        """Add up all blocks from a root on, and check each link's word for it."""
        total = len(self.by_cid[cid])
        for link in self.links(cid):
            below = self.dag_size_bytes(link.cid)
            assert below == link.size_bytes
            total += below
        return total

    def content(self, cid: bytes) -> bytes:
        """Return the bytes of a file."""
        if cid[1] != DAG_PB:
            return self.by_cid[cid]
        return b"".join(self.content(link.cid) for link in self.links(cid))

    def unixfs(self, cid: bytes) -> dict[int, list[int | bytes]]:
        """Return the UnixFS fields of a block by their numbers."""
        data = next(value for field, value in _fields(self.by_cid[cid]) if field == 1)
        assert isinstance(data, bytes)
        found: dict[int, list[int | bytes]] = {}
        for field, value in _fields(data):
            found.setdefault(field, []).append(value)
        return found

    def names(self, cid: bytes) -> dict[bytes, bytes]:
        """Return the entries of a directory, be it one block or a HAMT."""
        if self.unixfs(cid)[1] == [1]:
            return {link.name: link.cid for link in self.links(cid)}
        assert self.unixfs(cid)[1] == [5]
        found: dict[bytes, bytes] = {}
        for link in self.links(cid):
            if len(link.name) == 2:
                found |= self.names(link.cid)
            else:
                found[link.name[2:]] = link.cid
        return found


def _link(value: int | bytes) -> Link:
    assert isinstance(value, bytes)
    fields = _fields(value)
    assert [field for field, _ in fields] == [1, 2, 3]
    (_, cid), (_, name), (_, size_bytes) = fields
    assert isinstance(cid, bytes)
    assert isinstance(name, bytes)
    assert isinstance(size_bytes, int)
    return Link(name, cid, size_bytes)


def _fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Decode a protobuf message of varints and bytes."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        if tag & 7 == 0:
            found.append((tag >> 3, value))
        else:
            assert tag & 7 == 2
            assert at + value <= len(data)
            found.append((tag >> 3, data[at : at + value]))
            at += value
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
