"""Folders within folders, deeper than any path can name."""

import os
from pathlib import Path


def nest(top: Path, depth: int, *, name: str = "d") -> None:
    """Make a folder with `depth` folders below, each in the one before, and a file in the last."""
    top.mkdir()
    folder = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=folder)
    os.write(file, b"deep")
    os.close(file)
    os.close(folder)
