"""Copying the tree of a result and taking its root in one pass: what is hashed is what is written.

Bytes and names are copied, no modes and no times, and holes stay holes: a job may leave a sparse
file of a terabyte that takes a few blocks of the disk, and publishing must not fill a disk on which
the result had room. A chunk is written while it is hashed, and the disk is told to begin early, so
that there is little to wait for in the end. All of this blocks.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from events.dagpb import Node, Sink
from events.errors import ContentError, PublishError
from events.unixfs import CHUNK_SIZE_BYTES, FileLayout, file
from publishers.durable import begin_writing
from publishers.tree_walk import Tree, TreeWalk

_STAT_BLOCK_BYTES = 512
_BEGIN_BYTES = 8 << 20
_SMALL_BYTES = 64 * 1024
_SMALL_AHEAD_MAX = 64
"""Small files that are written while others are read and hashed; 4 MiB at most."""
_HOLE = bytes(CHUNK_SIZE_BYTES)


def copy_tree(source: bytes, target: bytes, given_up: threading.Event, sink: Sink) -> Tree:
    """Copy the folder `source` to `target`, which must not exist, and hand its blocks to `sink`.

    Raises `ContentError` for what has no content address, OSError when either disk fails,
    `PublishError` soon after it is `given_up`, and what `sink` raises.
    """
    with ThreadPoolExecutor(1) as writer:
        try:
            walk = _CopyWalk(sink, source, target, writer, given_up)
            tree = walk.root(source)
            walk.finish()
            return tree
        except ContentError as error:
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise


class _CopyWalk(TreeWalk):
    """Writes all that it walks over to another place."""

    def __init__(
        self,
        sink: Sink,
        source: bytes,
        target: bytes,
        writer: ThreadPoolExecutor,
        given_up: threading.Event,
    ) -> None:
        super().__init__(sink)
        self._given_up = given_up
        self._writer = writer
        self._source = source
        self._target = target
        self._writing: deque[Future[None]] = deque()
        self._buffer: memoryview | None = None

    def finish(self) -> None:
        """Wait for what is still being written; raise OSError when some of it was not."""
        while self._writing:
            self._writing.popleft().result()

    def enter(self, path: bytes) -> None:
        os.mkdir(self._place(path))

    def read(self, path: bytes, descriptor: int) -> Node:
        self._go_on()
        start = os.read(descriptor, _SMALL_BYTES)
        if len(start) < _SMALL_BYTES:
            more = os.read(descriptor, _SMALL_BYTES)
            if not more:
                self._begin_small(path, start)
                return file(start, self.sink)
            start += more
        target = self._create(path)
        try:
            return self._copy_long(descriptor, start, target)
        finally:
            os.close(target)

    def _begin_small(self, path: bytes, data: bytes) -> None:
        """Have a small file written, which costs more than reading and hashing it."""
        self._writing.append(self._writer.submit(self._write_small, path, data))
        if len(self._writing) > _SMALL_AHEAD_MAX:
            self._writing.popleft().result()

    def _write_small(self, path: bytes, data: bytes) -> None:
        target = self._create(path)
        try:
            _write(target, memoryview(data))
        finally:
            os.close(target)

    def _create(self, path: bytes) -> int:
        return os.open(self._place(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

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

        def begin(chunk: memoryview) -> Future[None]:
            self._go_on()
            return self._writer.submit(write, chunk)

        made = self._read_long(descriptor, start, begin)
        if sparse:
            os.ftruncate(target, size_bytes)
        begin_writing(target)
        return made

    def _read_long(
        self, descriptor: int, start: bytes, begin: Callable[[memoryview], Future[None]]
    ) -> Node:
        """Read the rest of a file of which something was read; each chunk is written meanwhile."""
        if self._buffer is None:
            self._buffer = memoryview(bytearray(CHUNK_SIZE_BYTES))
        buffer = self._buffer
        layout = FileLayout(self.sink)
        filled = len(start)
        buffer[:filled] = start
        while True:
            count = os.readv(descriptor, (buffer[filled:],))
            filled += count
            if filled == CHUNK_SIZE_BYTES or not count:
                chunk = buffer[:filled]
                writing = begin(chunk)
                try:
                    if filled:
                        layout.add(chunk)
                finally:
                    writing.result()  # also after an error: the caller closes the file
                if not count:
                    return layout.finish()
                filled = 0

    def _go_on(self) -> None:
        if self._given_up.is_set():
            raise PublishError("given-up", "nobody waits for this copy any more")

    def _place(self, path: bytes) -> bytes:
        return self._target + path[len(self._source) :]


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
