"""Removing the trees that commands leave: of any depth, any length of path, any modes.

A node that cannot remove one could not start again. So nothing here recurses as deep as the tree,
holds a descriptor for each level, or names what lies deep by its whole path: a folder within a
folder is first moved up. All functions block: call them in a thread.
"""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def own(path: str | os.PathLike[str], *, within: int | None = None) -> int:
    """Give the node's user the right to read and remove `path`; return its size in bytes.

    `within` is an open folder that the path is relative to.
    """
    try:
        status = os.stat(path, dir_fd=within, follow_symlinks=False)
    except FileNotFoundError:
        return 0
    if stat.S_ISLNK(status.st_mode):
        return 0
    need = 0o700 if stat.S_ISDIR(status.st_mode) else 0o600
    if status.st_mode & need != need:
        os.chmod(path, stat.S_IMODE(status.st_mode) | need, dir_fd=within)
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def remove_tree(path: Path) -> None:
    """Remove a folder that a command wrote to, as far as this user can; an absent one is fine."""
    if path.is_symlink():
        path.unlink()
        return
    with suppress(OSError):
        own(path)
        top = os.open(path, _FOLDER)
        try:
            while _clear(top, top):
                pass
        finally:
            os.close(top)
        path.rmdir()


def _clear(folder: int, top: int) -> int:
    """Remove what is in a folder, `top` or one in it; return how many entries could be.

    Folders in one that is not `top` are moved up to there, for the next time.
    """
    gone = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=folder)
                    gone += 1
                elif folder == top:
                    gone += _clear_below(entry.name, top)
                else:
                    own(entry.name, within=folder)
                    name = secrets.token_hex(8)
                    os.rename(entry.name, name, src_dir_fd=folder, dst_dir_fd=top)
                    gone += 1
    return gone


def _clear_below(name: str, top: int) -> int:
    own(name, within=top)
    folder = os.open(name, _FOLDER, dir_fd=top)
    try:
        gone = _clear(folder, top)
    finally:
        os.close(folder)
    with suppress(OSError):
        os.rmdir(name, dir_fd=top)
        gone += 1
    return gone
