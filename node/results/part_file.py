"""A file that is being fetched: chunks in any order, and none lost to an interruption."""

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Self

from events.cid import matches
from events.unixfs_reader import Place

_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC


class PartFile:
    """A file under a name of its own until it is whole; all methods but `close` block.

    Writing and closing exclude each other: the thread of a write may outlive the task that was
    cancelled, and must not meet another file under the same descriptor.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._had_bytes = os.fstat(descriptor).st_size

    @classmethod
    def begin(cls, path: Path) -> Self:
        """Go on with the file, or begin it. Raises OSError."""
        return cls(path, os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666))

    @classmethod
    def existing(cls, path: Path) -> Self | None:
        """Open what stands under a final name, None when nothing does.

        Raises OSError, also for a link or a folder.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _FLAGS)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileExistsError(errno.EEXIST, "it is no file", path)
        return cls(path, descriptor)

    @property
    def had_bytes(self) -> int:
        """How long the file was when it was opened."""
        return self._had_bytes

    def has(self, leaf: Place, at: int) -> bool:
        """Whether a chunk is there already: it is read and hashed, not believed."""
        size_bytes = leaf.dag_size_bytes or 0
        if at + size_bytes > self._had_bytes:
            return False
        with self._lock:
            data = os.pread(self._descriptor, size_bytes, at) if self._descriptor >= 0 else None
        return data is not None and matches(leaf.cid, data)

    def write(self, data: bytes, at: int) -> None:
        """Write a chunk to its place. Raises OSError."""
        rest = memoryview(data)
        with self._lock:
            while rest and self._descriptor >= 0:
                count = os.pwrite(self._descriptor, rest, at)
                rest, at = rest[count:], at + count

    def finish(self, size_bytes: int) -> None:
        """Cut off what an earlier try may have left behind the end. Raises OSError."""
        with self._lock:
            os.ftruncate(self._descriptor, size_bytes)

    def close(self) -> None:
        """Let go of the file; safe to repeat."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
