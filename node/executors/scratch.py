"""Working directories, reused while clean: creating files is what varies, spawning is not.

A run that leaves its directory as it found it gives it back; any other directory is thrown away.
"""

import asyncio
import os
import stat
from pathlib import Path

from node.executors.environment import INPUTS, OUTPUTS, SCRATCH
from node.executors.orphans import kill_inside
from node.executors.result import remove_tree

_NAMES = {INPUTS, OUTPUTS, SCRATCH}


class ScratchPool:
    """Hands out directories with empty `inputs`, `outputs` and `tmp` in them.

    `root` belongs to this object alone: what a killed process of the node left there, files and
    still running commands, is swept away by `open`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._clean: list[Path] = []
        self._made = 0
        self._opening = asyncio.Lock()
        self._opened = False

    async def open(self) -> None:
        """Sweep once; later calls return at once."""
        if self._opened:
            return
        async with self._opening:
            if not self._opened:
                await asyncio.to_thread(self._sweep)
                self._opened = True

    def take(self, inputs: Path | None) -> Path:
        """Return a clean directory, with `inputs` linked to where they are staged."""
        cwd = self._clean.pop() if self._clean else self._make()
        if inputs is not None:
            (cwd / INPUTS).rmdir()
            (cwd / INPUTS).symlink_to(inputs.absolute())
        return cwd

    async def give_back(self, cwd: Path) -> None:
        """Keep the directory for another run when it is as it was, else remove it."""
        if _restore(cwd):
            self._clean.append(cwd)
        else:
            await asyncio.to_thread(remove_tree, cwd)

    def _make(self) -> Path:
        self._made += 1
        cwd = self._root / str(self._made)
        make_working_directory(cwd)
        return cwd

    def _sweep(self) -> None:
        kill_inside(self._root)
        remove_tree(self._root)
        self._root.mkdir(parents=True, mode=0o700)


def make_working_directory(cwd: Path) -> None:
    """Create what a command finds: an empty folder for each of inputs, outputs and tmp."""
    for path in (cwd, *(cwd / name for name in sorted(_NAMES))):
        path.mkdir(mode=0o700)


def _restore(cwd: Path) -> bool:
    """Undo the link to the inputs; say whether the rest is as `make_working_directory` made it."""
    root = str(cwd)
    try:
        if os.path.islink(f"{root}/{INPUTS}"):
            os.unlink(f"{root}/{INPUTS}")
            os.mkdir(f"{root}/{INPUTS}", 0o700)
        if set(os.listdir(root)) != _NAMES or not _untouched(root):
            return False
        return all(
            _untouched(f"{root}/{name}") and not os.listdir(f"{root}/{name}") for name in _NAMES
        )
    except OSError:
        return False


def _untouched(path: str) -> bool:
    return os.lstat(path).st_mode == stat.S_IFDIR | 0o700
