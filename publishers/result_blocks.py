"""A result of this machine as blocks: all in one pass, or one leaf from where it lies.

A result is a folder, or a small one in memory that never was a folder; both give the same blocks.
These functions block: call them in a thread.
"""

import errno
import os
import stat
from pathlib import Path

from events.dagpb import Sink
from events.errors import ContentError, NotFound, PublishError
from events.unixfs import Entry, directory, file
from publishers.port import Result, SmallResult
from publishers.tree_walk import Tree, fill
from publishers.unixfs import tree_cid

_EMPTY_FOLDER = directory(())

_FILE = os.O_RDONLY | os.O_NONBLOCK
_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO}
"""Nothing is there, or what no result holds: a link, a socket."""


def pack(result: Result, sink: Sink) -> Tree:
    """Hand all blocks of a result to `sink`, children first, and return its root.

    Raises `PublishError`: `no-result` when it is gone, `bad-result` when it has no content address.
    What `sink` raises must be no OSError, which would be taken for the result's.
    """
    if isinstance(result, SmallResult):
        return _pack_small(result, sink)
    try:
        return tree_cid(result, sink=sink)
    except ContentError as error:
        raise _refusal(error) from error


def read_leaf(result: Result, path: bytes, offset: int, size_bytes: int) -> bytes:
    """Return bytes of the file at `path` below a result, fewer where it ends; nothing is checked.

    No link is followed out of the result, which a job may have written. Raises `NotFound` when
    there is no such file, OSError when it cannot be read.
    """
    if isinstance(result, SmallResult):
        try:
            return _files(result)[path][offset : offset + size_bytes]
        except KeyError as error:
            raise _no_file(path) from error
    descriptor = open_below(result, path)
    try:
        data = os.pread(descriptor, size_bytes, offset)
        while len(data) < size_bytes:
            more = os.pread(descriptor, size_bytes - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data
    finally:
        os.close(descriptor)


def read_file(result: Result, path: bytes, into: memoryview) -> None:
    """Fill `into` with the file at `path`; see `read_leaf`.

    Behind the end of a shorter file the buffer stays as it was, which a check of its bytes tells.
    """
    if isinstance(result, SmallResult):
        data = read_leaf(result, path, 0, len(into))
        into[: len(data)] = data
        return
    descriptor = open_below(result, path)
    try:
        fill(descriptor, into, 0)
    finally:
        os.close(descriptor)


def _pack_small(result: SmallResult, sink: Sink) -> Tree:
    entries = [Entry(name, *file(data, sink)) for name, data in _files(result).items()]
    directory((), sink)
    root = directory([*entries, Entry(b"outputs", *_EMPTY_FOLDER)], sink)
    return Tree.of(root, len(entries))


def _files(result: SmallResult) -> dict[bytes, bytes]:
    return {
        b"exit_code": b"%d" % result.exit_code,
        b"stderr": result.stderr,
        b"stdout": result.stdout,
    }


def open_below(folder: Path, path: bytes) -> int:
    """Open one file below a folder for reading, without leaving the folder by any link.

    Raises `NotFound` for what is not a file in it, OSError when that cannot be told.
    """
    if not path:
        return _regular(path, os.open(folder, _FILE))  # the result is this one file
    parts = path.split(b"/")
    if any(part in {b"", b".", b".."} or b"\0" in part for part in parts):
        raise _no_file(path)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            below = os.open(part, flags, dir_fd=place)
            os.close(place)
            place = below
        return _regular(path, os.open(parts[-1], _FILE | os.O_NOFOLLOW, dir_fd=place))
    except OSError as error:
        if error.errno in _NO_FILE:
            raise _no_file(path) from error
        raise
    finally:
        os.close(place)


def _regular(path: bytes, descriptor: int) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise _no_file(path)


def _no_file(path: bytes) -> NotFound:
    return NotFound(f"there is no file {os.fsdecode(path)!r}", hint="Name a file of the result")


def _refusal(error: ContentError) -> PublishError:
    cause = error.__cause__
    if isinstance(cause, FileNotFoundError | NotADirectoryError):
        hint = "Let another execution publish"
        return PublishError("no-result", error.what, permanent=True, hint=hint)
    if isinstance(cause, OSError):
        return PublishError("io-error", error.what, hint=error.hint)
    return PublishError("bad-result", error.what, permanent=True, hint=error.hint)
