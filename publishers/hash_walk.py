"""Hashing a tree on two cores: the digest of a chunk takes most of the time, and needs no order.

Of a long file every second chunk is read and hashed in another thread, of a run of shorter files
the second half. Files that are small are read by one thread alone, since handing them over would
take longer than hashing them. Blocks go to the sink in the order of names all the same, from the
thread that walks.

Memory is two chunks, and what the other thread has read ahead: up to 4 MiB of whole files.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

from events.cid import raw_cid_bytes
from events.dagpb import Node, Sink
from events.unixfs import CHUNK_SIZE_BYTES, FileLayout
from publishers.tree_walk import TreeWalk, fill, open_file

_FIRST_READ_BYTES = 64 * 1024
"""Most files end within it."""

_SHARED_FROM_BYTES = 32 * 1024
"""From this mean size on a run of files is worth two threads."""

_SHARED_FROM_FILES = 4
_AHEAD_BYTES = 3 << 20


class HashWalk(TreeWalk):
    """Reads files only to hash them, and to hand their blocks to the sink."""

    def __init__(self, sink: Sink | None) -> None:
        super().__init__(sink)
        self._other: ThreadPoolExecutor | None = None
        self._buffers: list[memoryview] = []
        self._mean_bytes = 0

    def close(self) -> None:
        """End the other thread."""
        if self._other is not None:
            self._other.shutdown()

    def enter(self, path: bytes) -> None:
        """Nothing is to be done before what is in a folder."""

    def read(self, path: bytes, descriptor: int) -> Node:
        data = _whole(descriptor)
        if data is not None:
            return self._short(raw_cid_bytes(data), data)
        layout = FileLayout(self.sink)
        for cid, chunk in self._chunks(descriptor):
            layout.add_hashed(cid, chunk)
        return layout.finish()

    def read_run(self, paths: list[bytes]) -> Iterator[Node]:
        shared = self._mean_bytes >= _SHARED_FROM_BYTES and len(paths) >= _SHARED_FROM_FILES
        size_bytes = 0
        for made in self._shared(paths) if shared else super().read_run(paths):
            size_bytes += made.dag_size_bytes
            yield made
        self._mean_bytes = size_bytes // len(paths)

    def _shared(self, paths: list[bytes]) -> Iterator[Node]:
        """Read a run of files, the second half in the other thread as far as it gets."""
        half = len(paths) // 2
        reading = self._thread().submit(_short_files, paths[half:])
        try:
            yield from super().read_run(paths[:half])
        finally:
            wait([reading])
        found = reading.result()
        for cid, data in found:
            yield self._short(cid, data)
        yield from super().read_run(paths[half + len(found) :])

    def _short(self, cid: bytes, data: bytes) -> Node:
        if self.sink is not None:
            self.sink(cid, data)
        return Node(cid, len(data))

    def _chunks(self, descriptor: int) -> Iterator[tuple[bytes, memoryview]]:
        """Give the chunks of a long file, of which two are read and hashed at the same time."""
        if not self._buffers:
            self._buffers = [memoryview(bytearray(CHUNK_SIZE_BYTES)) for _ in range(2)]
        one, other = self._buffers
        at = 0
        while True:
            hashing = self._thread().submit(_hashed, descriptor, other, at + CHUNK_SIZE_BYTES)
            try:
                first = _hashed(descriptor, one, at)
            finally:
                wait([hashing])  # also after an error: the caller closes the file
            for cid, chunk in (first, hashing.result()):
                if chunk:
                    yield cid, chunk
                if len(chunk) < CHUNK_SIZE_BYTES:
                    return
            at += 2 * CHUNK_SIZE_BYTES

    def _thread(self) -> ThreadPoolExecutor:
        if self._other is None:
            self._other = ThreadPoolExecutor(1, "hashing")
        return self._other


def _whole(descriptor: int) -> bytes | None:
    """Return a file's bytes as one object, which a sink keeps at no cost; None for a long one."""
    data = os.read(descriptor, _FIRST_READ_BYTES)
    if len(data) < _FIRST_READ_BYTES:
        return None if os.read(descriptor, 1) else data
    size_bytes = os.fstat(descriptor).st_size
    if size_bytes > CHUNK_SIZE_BYTES:
        return None
    data = os.pread(descriptor, size_bytes + 1, 0)
    return data if len(data) == size_bytes else None


def _hashed(descriptor: int, buffer: memoryview, at: int) -> tuple[bytes, memoryview]:
    """Read and hash one chunk of a file, which is short or empty where the file ends."""
    chunk = buffer[: fill(descriptor, buffer, at)]
    return raw_cid_bytes(chunk), chunk


def _short_files(paths: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Read and hash files until one is long, or cannot be read, or enough is held."""
    found: list[tuple[bytes, bytes]] = []
    held_bytes = 0
    for path in paths:
        if held_bytes > _AHEAD_BYTES:
            break
        try:
            descriptor = open_file(path)
            try:
                data = _whole(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            break  # told when the walk itself comes to it
        if data is None:
            break
        found.append((raw_cid_bytes(data), data))
        held_bytes += len(data)
    return found
