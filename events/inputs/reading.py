"""Reading a local folder so that nothing outside of it is ever read.

The source itself may be a symbolic link, as with `find -H`; below it links are refused, since what
they lead to is not in the folder. Files are opened part by part from the source's folder on, so
that no link made since the listing can lead out of it. All of this blocks: call it in a thread.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from events.errors import InvalidInput
from events.inputs.file_uri import to_path
from events.items import ListedFile
from events.unixfs import MAX_DEPTH

FILES_MAX = 1_000_000
CHUNK_BYTES = 1 << 20
LINK_HINT = "copy what it leads to into the folder, or choose a source or glob without it"

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_DIRECTORY
Check = Callable[[], None]
"""Called between steps; raises to end the work."""


def find_files(source: str, matcher: re.Pattern[str], check: Check) -> tuple[list[str], int]:
    """Return the paths that match, sorted by their bytes, and how many files there were.

    Raises InvalidInput for a source that is missing or unreadable, for a link to a folder, and for
    what matches and is no regular file or has a name that is not UTF-8.
    """
    path = to_path(source)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            return ([""] if matcher.match(os.path.basename(path)) else []), 1
        if not stat.S_ISDIR(mode):
            raise InvalidInput(f"{path} is neither a file nor a folder", hint="name one of them")
        seen, found = 0, []
        for entry, name in _walk(os.path.realpath(path), check):
            seen += 1
            if _selected(entry, name, matcher):
                found.append((name.encode(), name))
            if len(found) > FILES_MAX:
                raise InvalidInput(
                    f"{source} has more than {FILES_MAX:,} files", hint="name a part of it"
                )
    except FileNotFoundError as error:
        raise InvalidInput(f"{error.filename} does not exist", hint="check the path") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidInput(f"{error.filename}: {reason}", hint="check its permissions") from None
    return [name for _, name in sorted(found)], seen


def hash_files(source: str, paths: Iterable[str], check: Check) -> list[ListedFile]:
    """Return size and sha256 of files; raises InvalidInput for one that cannot be read."""
    root = os.path.realpath(to_path(source))
    found = []
    for path in paths:
        digest, size = hashlib.sha256(), 0
        buffer = memoryview(bytearray(CHUNK_BYTES))
        try:
            with open_below(root, path) as file:
                while count := os.readv(file, [buffer]):
                    digest.update(buffer[:count])
                    size += count
                    check()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InvalidInput(
                f"{os.path.join(root, path).rstrip('/')} cannot be read: {reason}",
                hint="check its permissions, and that nobody writes to the folder meanwhile",
            ) from None
        found.append(ListedFile(path, size, digest.hexdigest()))
        check()
    return found


@contextmanager
def open_below(root: str, path: str) -> Iterator[int]:
    """Open a regular file by its path below `root` ("" is `root` itself), following no link.

    Raises OSError also for a path that leaves `root` and for what is not a regular file.
    """
    folders, name = [], root
    if path:
        *folders, name = path.split("/")
        if {"", ".", ".."}.intersection((*folders, name)) or "\0" in path:
            raise FileNotFoundError(0, "is no path below the source", path)
    folder = os.open(root, _FOLDER) if path else None
    try:
        for part in folders:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            if folder is not None:
                os.close(folder)
            folder = inner
        file = os.open(name, _FILE, dir_fd=folder)
    finally:
        if folder is not None:
            os.close(folder)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise FileNotFoundError(0, "is no regular file", path)
        yield file
    finally:
        os.close(file)


def _walk(root: str, check: Check) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield everything below `root` but folders, with its path relative to it."""
    folders = [""]
    while folders:
        prefix = folders.pop()
        check()
        with os.scandir(os.path.join(root, prefix)) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if not entry.is_dir():
                    yield entry, name
                elif entry.is_symlink():
                    raise InvalidInput(f"{entry.path} is a symbolic link", hint=LINK_HINT)
                else:
                    folders.append(f"{name}/")


def _selected(entry: os.DirEntry[str], name: str, matcher: re.Pattern[str]) -> bool:
    if not matcher.match(name):
        return False
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(entry.path).decode(errors="backslashreplace")
        raise InvalidInput(f"the name of {shown} is not UTF-8", hint="rename it") from None
    if name.count("/") > MAX_DEPTH:
        raise InvalidInput(
            f"a file named {entry.name} lies more than {MAX_DEPTH} folders deep",
            hint="nest them less, or choose a source or glob without it",
        )
    if entry.is_symlink():
        raise InvalidInput(f"{entry.path} is a symbolic link", hint=LINK_HINT)
    if not entry.is_file():
        raise InvalidInput(
            f"{entry.path} is no regular file", hint="choose a source or glob without it"
        )
    return True
