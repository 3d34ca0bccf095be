"""A folder of one process for what is not complete yet, beside the results on the same file system.

Each process has its own, and holds a lock on it for as long as it lives. So leftovers of a crashed
process can be told from the work of a living one without clocks or process ids: whoever opens a
staging folder removes the ones whose lock is free.
"""

import fcntl
import itertools
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from publishers.durable import make_durable_folder

FOLDER = ".staging"
"""No job id starts with a dot."""


class Staging:
    """One process's own folder below `<root>/.staging`; `close` or the next opener removes it."""

    def __init__(self, root: Path) -> None:
        """Make the folder and sweep those of dead processes; raises OSError."""
        parent = root / FOLDER
        make_durable_folder(parent)
        _sweep(parent)
        self._count = itertools.count()
        while True:
            self._folder = parent / secrets.token_hex(8)
            self._folder.mkdir()
            lock = _locked(self._folder)
            if lock is not None:
                self._lock = lock
                return
            # Somebody who sweeps came between the folder and its lock: it is theirs to remove.

    def new(self) -> Path:
        """Return a path that nothing is at, for one try."""
        return self._folder / str(next(self._count))

    def exists(self) -> bool:
        """Say whether the folder is still there: somebody may have emptied the root."""
        return self._folder.is_dir()

    def close(self) -> None:
        """Remove the folder and let go of the lock; safe to repeat."""
        if self._lock >= 0:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _sweep(parent: Path) -> None:
    for folder in parent.iterdir():
        with suppress(PermissionError):  # another user's: theirs to remove
            lock = _locked(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _locked(folder: Path) -> int | None:
    """Return the held lock of a staging folder, None when it is another's or gone."""
    path = folder / "lock"
    try:
        # A file, since locks on folders do not work on every network file system.
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), os.stat(path)):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None
