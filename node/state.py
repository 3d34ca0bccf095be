"""The folder where a node keeps what must outlive its process, and the lock that makes it its own.

The lock is the kernel's: it ends with the process that holds it, however that ends.
"""

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from events.errors import NodeBusy

OWNER_ONLY = 0o700


def default_folder(node: str) -> Path:
    """Return where a node of this name keeps its state unless its operator says otherwise."""
    return platformdirs.user_state_path("lota") / "nodes" / node


class StateFolder:
    """One node's state folder, made and locked when it is entered or `lock` is called.

    `results` holds one folder per execution whose result is too large for `memory`, and `inputs`
    what is staged for runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.memory = path / "memory.db"
        self.projections = path / "projections.db"
        self.results = path / "results"
        self.inputs = path / "inputs"
        self._lock = -1

    @property
    def owner(self) -> str:
        """What tells this folder from any other on this machine, from one life to the next."""
        return hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:16]

    def lock(self) -> None:
        """Make the folder and take it for this process.

        Raises NodeBusy when another live process, or another node of this one, has it.
        """
        self.path.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        # Not inherited: a command that outlives the node must not keep its folder locked.
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
            for folder in (self.results, self.inputs):
                folder.mkdir(mode=OWNER_ONLY, exist_ok=True)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise NodeBusy(
                f"{self.path} is in use by process {holder}",
                hint="Stop that node, or give this one another --name or --state",
            ) from None
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def unlock(self) -> None:
        """Let go of the folder; safe to repeat."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.unlock()
