"""Copying the tree of a result: bytes and names, no modes and no times; holes stay holes.

A job may leave a sparse file of a terabyte that takes a few blocks of the disk. Its copy takes no
more, so that publishing does not fill a disk on which the result had room. All of this blocks.
"""

import os
import shutil
from collections.abc import Iterator

from publishers.unixfs import listing

_BLOCK_BYTES = 512
_COPY_BYTES = 1 << 20


def copy_tree(source: bytes, target: bytes) -> None:
    """Copy the folder `source` to `target`, which must not exist.

    Raises `ContentError` for what has no content address, OSError.
    """
    os.mkdir(target)
    below = [(b"", 0)]
    while below:
        folder, depth = below.pop()
        for name, is_folder in listing(os.path.join(source, folder), depth):
            path = os.path.join(folder, name)
            if is_folder:
                os.mkdir(os.path.join(target, path))
                below.append((path, depth + 1))
            else:
                _copy_file(os.path.join(source, path), os.path.join(target, path))


def _copy_file(source: bytes, target: bytes) -> None:
    status = os.lstat(source)
    if status.st_blocks * _BLOCK_BYTES >= status.st_size:
        shutil.copyfile(source, target, follow_symlinks=False)
        return
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            for start, end in _data(reading, status.st_size):
                _copy_range(reading, writing, start, end)
            os.ftruncate(writing, status.st_size)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _data(descriptor: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """Give the ranges of a file that are no holes."""
    end = 0
    while end < size_bytes:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:
            return  # nothing but a hole up to the end
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end


def _copy_range(reading: int, writing: int, start: int, end: int) -> None:
    while start < end:
        data = os.pread(reading, min(_COPY_BYTES, end - start), start)
        if not data:
            return  # it was cut off meanwhile: the hash of the copy will tell
        rest = memoryview(data)
        while rest:
            written = os.pwrite(writing, rest, start)
            start += written
            rest = rest[written:]
