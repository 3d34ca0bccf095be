"""Copying the tree of a result and taking its root in one pass: what is hashed is what is written.

Bytes and names are copied, no modes and no times, and holes stay holes: a job may leave a sparse
file of a terabyte that takes a few blocks of the disk, and publishing must not fill a disk on which
the result had room. A chunk is written while it is hashed, and the disk is told to begin early, so
that there is little to wait for in the end. All of this blocks.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from events.dagpb import Node, Sink
from events.errors import ContentError
from events.unixfs import CHUNK_SIZE_BYTES, file
from publishers.durable import begin_writing
from publishers.unixfs import Tree, TreeWalk

_STAT_BLOCK_BYTES = 512
_BEGIN_BYTES = 8 << 20
_SMALL_BYTES = 64 * 1024
_HOLE = bytes(CHUNK_SIZE_BYTES)


def copy_tree(source: bytes, target: bytes, sink: Sink) -> Tree:
    """Copy the folder `source` to `target`, which must not exist, and hand its blocks to `sink`.

    Raises `ContentError` for what has no content address, OSError when either disk fails, and what
    `sink` raises.
    """
    with ThreadPoolExecutor(1) as writer:
        try:
            return _CopyWalk(sink, source, target, writer).root(source)
        except ContentError as error:
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise


class _CopyWalk(TreeWalk):
    """Writes all that it walks over to another place."""

    def __init__(
        self, sink: Sink, source: bytes, target: bytes, writer: ThreadPoolExecutor
    ) -> None:
        super().__init__(sink)
        self._writer = writer
        self._source = source
        self._target = target

    def enter(self, path: bytes) -> None:
        os.mkdir(self._place(path))

    def read(self, path: bytes, descriptor: int) -> Node:
        target = os.open(self._place(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            start = os.read(descriptor, _SMALL_BYTES)
            if len(start) < _SMALL_BYTES and not (more := os.read(descriptor, _SMALL_BYTES)):
                _write(target, memoryview(start))
                return file(start, self.sink)
            elif len(start) < _SMALL_BYTES:
                start += more
            return self._copy_long(descriptor, start, target)
        finally:
            os.close(target)

    def _copy_long(self, descriptor: int, start: bytes, target: int) -> Node:
        status = os.fstat(descriptor)
        sparse = status.st_blocks * _STAT_BLOCK_BYTES < status.st_size
        size_bytes = 0

        def write(chunk: memoryview) -> None:
            nonlocal size_bytes
            size_bytes += len(chunk)
            if sparse and chunk == _HOLE[: len(chunk)]:
                os.lseek(target, len(chunk), os.SEEK_CUR)
                return
            _write(target, chunk)
            if not size_bytes % _BEGIN_BYTES:
                begin_writing(target)

        made = self.read_long(descriptor, start, lambda chunk: self._writer.submit(write, chunk))
        if sparse:
            os.ftruncate(target, size_bytes)
        begin_writing(target)
        return made

    def _place(self, path: bytes) -> bytes:
        return self._target + path[len(self._source) :]


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
