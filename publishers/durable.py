"""Making what was written survive a loss of power.

A file is safe when it was synced itself, a name when the folder that holds it was. For a few
files that is a few fsyncs. A thousand small results would be thousands of them, each with a commit
of the file system's journal of its own, so above a limit one syncfs flushes all at once. It is not
the only way since it also flushes what others have written to that file system, and since kernels
before 5.8 do not report a failed write-back through it.
"""

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

MAX_FSYNCS = 16


_FROM_START = ctypes.c_int64(0)
_TO_END = ctypes.c_int64(0)
_WRITE = 2


def _find(name: str) -> Callable[..., int] | None:
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError):
        return None  # both are Linux's own; elsewhere every file gets its fsync
    return found


_syncfs = _find("syncfs")
_sync_file_range = _find("sync_file_range")


def make_durable(paths: Iterable[str], filesystem: str) -> None:
    """Return when all files and folders of `paths` are on the disk; raises OSError.

    `filesystem` is any folder on the file system that holds them all.
    """
    remaining = iter(paths)
    first = list(islice(remaining, MAX_FSYNCS + 1))
    if len(first) > MAX_FSYNCS and _syncfs is not None:
        _flush(filesystem, _sync_filesystem)
        return
    for path in first:
        _flush(path, os.fsync)
    for path in remaining:
        _flush(path, os.fsync)


def begin_writing(descriptor: int) -> None:
    """Let the disk begin with a file, without waiting for it: `make_durable` then waits less."""
    if _sync_file_range is not None:
        _sync_file_range(descriptor, _FROM_START, _TO_END, _WRITE)  # a refusal makes it no worse


def tree_paths(folder: str) -> Iterator[str]:
    """Yield a folder and all files and folders below it."""
    folders = [folder]
    while folders:
        place = folders.pop()
        yield place
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    yield entry.path


def make_durable_folder(folder: Path) -> None:
    """Make a folder and its parents so that they outlast a loss of power; safe to repeat."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        _flush(str(place.parent), os.fsync)


def _flush(path: str, sync: Callable[[int], None]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def _sync_filesystem(descriptor: int) -> None:
    if _syncfs is not None and _syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
