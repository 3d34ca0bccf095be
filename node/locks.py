"""Folders that one process uses at a time.

The lock is the kernel's: it ends with the process that holds it, however that ends.
"""

import fcntl
import os
from pathlib import Path

OWNER_ONLY = 0o700


class Held(Exception):
    """Another live process, or another part of this one, has the folder; `by` is its number."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


def take(folder: Path) -> int:
    """Make a folder and lock it; return the descriptor whose closing lets go of it.

    Raises Held, and OSError when the folder cannot be made.
    """
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    # Not inherited: a command that outlives the process must not keep its folder locked.
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    except BlockingIOError:
        by = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise Held(by) from None
    except BaseException:
        os.close(lock)
        raise
    return lock
