"""Walking over a tree on disk in the order of names, and joining its folders to one root.

A symlink is refused rather than followed or kept: followed, it reaches out of the result; kept, it
means nothing where the result ends up.

Memory is, for each folder between the root and the file being read, its names: up to 16 MiB, since
those of a larger folder are sorted by way of a temporary file.
"""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from events.cid import cid_text
from events.dagpb import Node, Sink
from events.errors import ContentError
from events.unixfs import MAX_DEPTH, Entry
from publishers.folder_entries import FolderEntries
from publishers.sorted_records import SortedRecords

RUN_FILES_MAX = 16
"""How many files that follow each other in a folder are read as one run."""

_IS_FILE = b"\0f"  # a name has no NUL: so records sort as names do
_IS_FOLDER = b"\0d"

_COPY_HINT = "Put a copy of what it points to in its place, or leave it out"
_SPECIAL_HINT = "Only files and folders have a content address: leave it out"


class Tree(NamedTuple):
    """A tree on disk: CID, cumulative size of its blocks, and how many files it holds."""

    cid: str
    dag_size_bytes: int
    files: int

    @classmethod
    def of(cls, root: Node, files: int) -> "Tree":
        """Spell the root of a tree with so many files."""
        return cls(cid_text(root.cid), root.dag_size_bytes, files)


class _Folder:
    """A folder on the way from the root to the present file; `pending` is what is still to do."""

    __slots__ = ("done", "name", "path", "pending")

    def __init__(self, path: bytes, name: bytes, depth: int) -> None:
        self.path = path
        self.name = name
        self.pending = _runs(listing(path, depth))
        self.done = FolderEntries()


class TreeWalk(ABC):
    """One pass over a tree, in the order of names, without recursion: folders can nest deep.

    An heir says what is done with each folder that is entered and each file.
    """

    def __init__(self, sink: Sink | None) -> None:
        self.sink = sink
        self._files = 0

    def root(self, path: bytes) -> Tree:
        """Walk the tree at a path; see `publishers.unixfs.tree_cid`."""
        try:
            mode = os.stat(path).st_mode
            if stat.S_ISDIR(mode):
                top = self._folder(path)
            elif stat.S_ISREG(mode):
                self._files = 1
                top = self.read_file(os.path.realpath(path))
            else:
                raise ContentError(
                    f"{_shown(path)} is neither a file nor a folder", hint=_SPECIAL_HINT
                )
        except OSError as error:
            place = error.filename if isinstance(error.filename, bytes) else path
            raise ContentError(
                f"{_shown(place)} cannot be read: {error.strerror}",
                hint="Check that it exists and that this user may read it",
            ) from error
        return Tree.of(top, self._files)

    @abstractmethod
    def enter(self, path: bytes) -> None:
        """Do what is to be done before what is in a folder."""

    @abstractmethod
    def read(self, path: bytes, descriptor: int) -> Node:
        """Read a file to its end, and hand its blocks to the sink."""

    def read_run(self, paths: list[bytes]) -> Iterator[Node]:
        """Read some files of one folder in their order."""
        return map(self.read_file, paths)

    def read_file(self, path: bytes) -> Node:
        """Open a file and read it."""
        descriptor = open_file(path)
        try:
            return self.read(path, descriptor)
        finally:
            os.close(descriptor)

    def _folder(self, path: bytes) -> Node:
        self.enter(path)
        stack = [_Folder(path, b"", 0)]
        while True:
            folder = stack[-1]
            following = next(folder.pending, None)
            if following is not None:
                names, is_folder = following
                paths = [os.path.join(folder.path, name) for name in names]
                if is_folder:
                    self.enter(paths[0])
                    stack.append(_Folder(paths[0], names[0], len(stack)))
                    continue
                self._files += len(names)
                for name, made in zip(names, self.read_run(paths), strict=True):
                    folder.done.add(Entry(name, *made))
                continue
            made = folder.done.directory(self.sink)
            stack.pop()
            if not stack:
                return made
            stack[-1].done.add(Entry(folder.name, *made))


def open_file(path: bytes) -> int:
    """Open a file for reading; that it is one was seen in a listing.

    The flags hold what changed since: no link is followed, and no pipe is waited for.
    """
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def fill(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Read an open file from an offset into all of a buffer; return how much of it was there."""
    filled = 0
    while filled < len(buffer):
        count = os.preadv(descriptor, (buffer[filled:],), offset + filled)
        if not count:
            break
        filled += count
    return filled


def _runs(names: Iterator[tuple[bytes, bool]]) -> Iterator[tuple[list[bytes], bool]]:
    """Give files that follow each other together, some at a time, and each folder by itself."""
    run: list[bytes] = []
    for name, is_folder in names:
        if run and (is_folder or len(run) == RUN_FILES_MAX):
            yield run, False
            run = []
        if is_folder:
            yield [name], True
        else:
            run.append(name)
    if run:
        yield run, False


def listing(path: bytes, depth: int) -> Iterator[tuple[bytes, bool]]:
    """Give (name, is it a folder) for all in a folder, by name, of any number.

    Raises `ContentError` for what has no content address, OSError when the folder cannot be read,
    `PublishError` when a long list cannot be sorted.
    """
    if depth > MAX_DEPTH:
        raise ContentError(
            f"{_shown(path)} lies more than {MAX_DEPTH} folders deep", hint="Nest them less"
        )
    names = SortedRecords()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise ContentError(f"{_shown(entry.path)} is a symlink", hint=_COPY_HINT)
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not entry.is_file(follow_symlinks=False):
                    raise ContentError(
                        f"{_shown(entry.path)} is a device, socket or pipe", hint=_SPECIAL_HINT
                    )
                names.add(entry.name + (_IS_FOLDER if is_folder else _IS_FILE))
        for record in names:
            yield record[:-2], record.endswith(_IS_FOLDER)
    finally:
        names.close()


def _shown(path: bytes) -> str:
    """Spell any path so that it can be printed."""
    return path.decode("utf-8", "backslashreplace")
