"""The demo's data: the standard library's own source files of the Python that runs this."""

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

NOT_OURS = ("site-packages", "dist-packages", "__pycache__")


def gather(folder: Path) -> int:
    """Copy the *.py files of the standard library to `folder` and return how many there are.

    Links are left out, since a system's Python may point out of its own folder with them, and so is
    what was installed later.
    """
    root = Path(sysconfig.get_path("stdlib")).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    number = 0
    for path in _sources(root):
        target = folder / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        number += 1
    return number


def _sources(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink() or entry.name in NOT_OURS:
            continue
        if entry.is_dir():
            yield from _sources(entry)
        elif entry.suffix == ".py" and entry.is_file():
            yield entry
