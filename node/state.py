"""The folder where a node keeps what must outlive its process, locked to make it its own."""

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from events.errors import NodeBusy
from node.locks import OWNER_ONLY, Held, take


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
        try:
            lock = take(self.path)
        except Held as held:
            raise NodeBusy(
                f"{self.path} is in use by process {held.by}",
                hint="Stop that node, or give this one another --name or --state",
            ) from None
        try:
            for folder in (self.results, self.inputs):
                folder.mkdir(mode=OWNER_ONLY, exist_ok=True)
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
