"""Files and directories as UnixFS blocks, by the profile unixfs-v1-2025 (IPIP-499).

The profile fixes everything that could give one tree two roots: chunks of 1 MiB, raw leaves, at
most 1,024 links in a file node, balanced, a directory turned into a HAMT when its block would take
more than 256 KiB. Modes and times are left out. Nothing here touches a disk: a directory is made
from its entries' CIDs and cumulative sizes alone, which is how a job's root is made from shards
that stay where they are.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from events.cid import cid_bytes, cid_text, raw_cid_bytes, varint
from events.dagpb import Node, Sink, link, node
from events.errors import ContentError
from events.hamt import hamt

CHUNK_SIZE_BYTES = 1 << 20
MAX_LINKS = 1024
MAX_DIRECTORY_BLOCK_BYTES = 256 * 1024

MAX_DEPTH = 256
"""Folders above a file. What removes or walks a tree may recurse; no honest result is as deep."""

DIRECTORY_DATA = b"\x08\x01"
_DIRECTORY_FIELD_BYTES = 4


class Entry(NamedTuple):
    """One name of a directory, with its CID in 36 bytes and the cumulative size below it."""

    name: bytes
    cid: bytes
    dag_size_bytes: int


class Root(NamedTuple):
    """A tree as a claim names it: the CID as text, and the cumulative size of its blocks."""

    cid: str
    dag_size_bytes: int


class _Part(NamedTuple):
    """A child of a file node; `size_bytes` counts the file's bytes below it, without blocks."""

    node: Node
    size_bytes: int


class FileLayout:
    """Builds one file's node as its chunks come; it holds at most 1,024 links per level.

    Every chunk but the last must be exactly `CHUNK_SIZE_BYTES` long.
    """

    def __init__(self, sink: Sink | None = None) -> None:
        """Hand every block to `sink` as it is made."""
        self._sink = sink
        self._levels: list[list[_Part]] = [[]]
        self._chunks = 0

    def add(self, chunk: bytes | memoryview) -> None:
        """Take the next chunk; a view may be used again after the call."""
        self.add_hashed(raw_cid_bytes(chunk), chunk)

    def add_hashed(self, cid: bytes, chunk: bytes | memoryview) -> None:
        """Take the next chunk when its CID, in 36 bytes, is known already."""
        if self._sink is not None:
            self._sink(cid, chunk)
        self._chunks += 1
        self._push(0, _Part(Node(cid, len(chunk)), len(chunk)))

    def finish(self) -> Node:
        """Return the file's root: the chunk itself when there is only one."""
        if not self._chunks:
            self.add(b"")
        if self._chunks == 1:
            return self._levels[0][0].node
        level = 0
        while level < len(self._levels) - 1:
            self._push(level + 1, self._join(self._levels[level]))
            level += 1
        return self._join(self._levels[level]).node

    def _push(self, level: int, part: _Part) -> None:
        if level == len(self._levels):
            self._levels.append([])
        parts = self._levels[level]
        if len(parts) == MAX_LINKS:
            self._push(level + 1, self._join(parts))
            parts.clear()
        parts.append(part)

    def _join(self, parts: list[_Part]) -> _Part:
        size_bytes = sum(part.size_bytes for part in parts)
        sizes = b"".join([b"\x20" + varint(part.size_bytes) for part in parts])
        joined = node(
            [link(b"", *part.node) for part in parts],
            b"\x08\x02\x18%b%b" % (varint(size_bytes), sizes),
            sum(part.node.dag_size_bytes for part in parts),
            self._sink,
        )
        return _Part(joined, size_bytes)


def file(data: bytes | memoryview, sink: Sink | None = None) -> Node:
    """Return the node of a file that is in memory."""
    if len(data) <= CHUNK_SIZE_BYTES:
        cid = raw_cid_bytes(data)
        if sink is not None:
            sink(cid, data)
        return Node(cid, len(data))
    layout = FileLayout(sink)
    view = memoryview(data)
    for start in range(0, len(view), CHUNK_SIZE_BYTES):
        layout.add(view[start : start + CHUNK_SIZE_BYTES])
    return layout.finish()


def directory(entries: Iterable[Entry], sink: Sink | None = None) -> Node:
    """Return the node of a directory, whatever the order of its entries.

    Raises `ContentError` for a name that no folder can hold and for a name given twice.
    """
    ordered = sorted(entries, key=itemgetter(0))
    _refuse_bad_names(ordered)
    links: list[bytes] = []
    size_bytes = _DIRECTORY_FIELD_BYTES
    for entry in ordered:
        encoded = link(*entry)
        links.append(encoded)
        size_bytes += len(encoded)
        if size_bytes > MAX_DIRECTORY_BLOCK_BYTES:
            return hamt(ordered, sink)
    return node(links, DIRECTORY_DATA, sum(entry.dag_size_bytes for entry in ordered), sink)


def job_root(shards: Iterable[tuple[str, int]], sink: Sink | None = None) -> Root:
    """Return the root of a job: a directory "0", "1", ... over its shards' (CID, cumulative size).

    It takes about a second per 100,000 shards. Raises `ContentError` for what is no CID.
    """
    root = directory(
        (
            Entry(b"%d" % index, cid_bytes(cid), dag_size_bytes)
            for index, (cid, dag_size_bytes) in enumerate(shards)
        ),
        sink,
    )
    return Root(cid_text(root.cid), root.dag_size_bytes)


def is_name(name: bytes) -> bool:
    """Say whether a folder can hold a file of this name."""
    return bool(name) and b"/" not in name and b"\0" not in name and name not in {b".", b".."}


def _refuse_bad_names(ordered: list[Entry]) -> None:
    before = None
    for entry in ordered:
        name = entry.name
        if not is_name(name):
            raise ContentError(
                f"{name!r} is no file name", hint="Use a name without '/' and NUL, not '.' or '..'"
            )
        if name == before:
            raise ContentError(f"{name!r} stands twice in one folder", hint="Leave one out")
        before = name
