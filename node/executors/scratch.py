"""Working directories, reused while clean: creating files is what varies, spawning is not.

A run that leaves its directory as it found it gives it back; any other directory is thrown away.
"""

import asyncio
import os
import shutil
import stat
from pathlib import Path

from node.executors.environment import INPUTS, OUTPUTS, SCRATCH
from node.executors.orphans import kill_inside
from node.executors.removal import remove_tree

_NAMES = (INPUTS, OUTPUTS, SCRATCH)
_FOLDER_MODE = stat.S_IFDIR | 0o700


class Scratch:
    """One working directory: `cwd` with empty `inputs`, `outputs` and `tmp` in it."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self.outputs = cwd / OUTPUTS
        self._root = str(cwd)
        self._inputs = cwd / INPUTS
        self._empty = [str(cwd / name) for name in _NAMES]

    def make(self) -> None:
        """Create the folders."""
        for path in (self._root, *self._empty):
            os.mkdir(path, 0o700)

    def lay_in(self, inputs: Path) -> None:
        """Give the command staged inputs as a folder of its own; blocks, a moment per file."""
        os.rmdir(self._inputs)
        link_tree(inputs, self._inputs)

    def untouched(self) -> bool:
        """Say whether all is as `make` left it."""
        try:
            if len(os.listdir(self._root)) != len(_NAMES) or not _untouched(self._root):
                return False
            return all(_untouched(path) and not os.listdir(path) for path in self._empty)
        except OSError:
            return False


class ScratchPool:
    """Hands out working directories below `root`, which belongs to this object alone.

    What a killed process of the node left there, files and commands that still run, is swept away
    by `open`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._clean: list[Scratch] = []
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

    def take(self) -> Scratch:
        """Return a clean directory: one that was given back, or a new one."""
        if self._clean:
            return self._clean.pop()
        self._made += 1
        scratch = Scratch(self._root / str(self._made))
        scratch.make()
        return scratch

    def give_back(self, scratch: Scratch) -> bool:
        """Keep a directory that is as it was; False when it must be discarded."""
        clean = scratch.untouched()
        if clean:
            self._clean.append(scratch)
        return clean

    async def discard(self, scratch: Scratch) -> None:
        """Remove a directory with all that a command left in it."""
        await asyncio.to_thread(remove_tree, scratch.cwd)

    def _sweep(self) -> None:
        kill_inside(self._root)
        remove_tree(self._root)
        self._root.mkdir(parents=True, mode=0o700)


def link_tree(source: Path, target: Path) -> None:
    """Make `target` a folder of its own that shares the files of `source`.

    A symbolic link would not do: `find inputs` does not go into one. And what is staged can be
    cleared away or staged anew, by a restarted node, while the command reads on.
    """
    shutil.copytree(source, target, copy_function=os.link)


def _untouched(path: str) -> bool:
    return os.lstat(path).st_mode == _FOLDER_MODE
