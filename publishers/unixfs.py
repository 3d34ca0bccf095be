"""The content address of what lies in a folder, and of a small result that never was in one.

Hidden files and empty folders count; names are bytes; modes and times do not count. A symlink is
refused rather than followed or kept: followed, it reaches out of the result; kept, it means
nothing where the result ends up. The hashing of a tree and the writing of its blocks are one path
of code with and without a sink, so that a CAR file cannot disagree with the CID.

Memory is one chunk and, for each folder between the root and the file being read, its names: up
to 16 MiB, since those of a larger folder are sorted by way of a temporary file.
These functions block: call them in a thread.
"""

import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import lru_cache
from typing import NamedTuple

from events.cid import cid_text
from events.dagpb import Node, Sink, link, node
from events.errors import ContentError
from events.unixfs import CHUNK_SIZE_BYTES, MAX_DEPTH, Entry, FileLayout, Root, directory, file
from publishers.folder_entries import FolderEntries
from publishers.sorted_records import SortedRecords

_FIRST_READ_BYTES = 64 * 1024
"""Most files end within it, and reading them needs no buffer of a whole chunk."""

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


def tree_cid(path: str | os.PathLike[str], *, sink: Sink | None = None) -> Tree:
    """Hash the folder, or the one file, at `path`, and hand its blocks to `sink`.

    `path` itself may be a symlink, since the caller chose it. Raises `ContentError` naming the
    place for a symlink, device, socket or pipe below it, and for what cannot be read.
    """
    return TreeWalk(sink).root(os.fsencode(path))


def result_cid(stdout: bytes, stderr: bytes, exit_code: int) -> Root:
    """Return the root of the result tree that has nothing in `outputs/`, without a disk.

    The tree is `stdout`, `stderr`, `exit_code` (ASCII, no newline) and the empty folder
    `outputs`.
    """
    if not stdout and not stderr:
        return _silent_result(exit_code)
    return _result(stdout, stderr, exit_code)


@lru_cache(maxsize=256)
def _silent_result(exit_code: int) -> Root:
    return _result(b"", b"", exit_code)


def _result(stdout: bytes, stderr: bytes, exit_code: int) -> Root:
    code = file(b"%d" % exit_code)
    errors = file(stderr)
    output = file(stdout)
    # Spelled out, in the order of names, for a quarter less time than a sorted directory takes.
    root = node(
        (
            link(b"exit_code", *code),
            _OUTPUTS_LINK,
            link(b"stderr", *errors),
            link(b"stdout", *output),
        ),
        b"\x08\x01",
        code.dag_size_bytes + _OUTPUTS_BYTES + errors.dag_size_bytes + output.dag_size_bytes,
        None,
    )
    return Root(cid_text(root.cid), root.dag_size_bytes)


_OUTPUTS = directory(())
_OUTPUTS_BYTES = _OUTPUTS.dag_size_bytes
_OUTPUTS_LINK = link(b"outputs", *_OUTPUTS)


class _Folder:
    """A folder on the way from the root to the present file; `pending` is what is still to do."""

    __slots__ = ("done", "name", "path", "pending")

    def __init__(self, path: bytes, name: bytes, depth: int) -> None:
        self.path = path
        self.name = name
        self.pending = listing(path, depth)
        self.done = FolderEntries()


class TreeWalk:
    """One pass over a tree, in the order of names, without recursion: folders can nest deep.

    An heir may do more with each folder that is entered and each file that is read.
    """

    def __init__(self, sink: Sink | None) -> None:
        self.sink = sink
        self._files = 0
        self._buffer: memoryview | None = None

    def root(self, path: bytes) -> Tree:
        """Walk the tree at a path; see `tree_cid`."""
        try:
            mode = os.stat(path).st_mode
            if stat.S_ISDIR(mode):
                top = self._folder(path)
            elif stat.S_ISREG(mode):
                top = self._file(os.path.realpath(path))
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

    def enter(self, path: bytes) -> None:
        """Do what is to be done before what is in a folder."""

    def read(self, path: bytes, descriptor: int) -> Node:
        """Read a file to its end, and hand its blocks to the sink."""
        start = os.read(descriptor, _FIRST_READ_BYTES)
        if len(start) < _FIRST_READ_BYTES:
            more = os.read(descriptor, _FIRST_READ_BYTES)
            if not more:
                return file(start, self.sink)
            start += more
        return self.read_long(descriptor, start)

    def read_long(
        self,
        descriptor: int,
        start: bytes,
        write: Callable[[memoryview], Future[None]] | None = None,
    ) -> Node:
        """Read the rest of a file of which something was read.

        Each chunk also goes to `write`, which may take as long as hashing it without costing time.
        """
        if self._buffer is None:
            self._buffer = memoryview(bytearray(CHUNK_SIZE_BYTES))
        buffer = self._buffer
        layout = FileLayout(self.sink)
        filled = len(start)
        buffer[:filled] = start
        while True:
            count = os.readv(descriptor, (buffer[filled:],))
            filled += count
            if filled == CHUNK_SIZE_BYTES or not count:
                chunk = buffer[:filled]
                writing = write(chunk) if write is not None else None
                try:
                    if filled:
                        layout.add(chunk)
                finally:
                    if writing is not None:  # also after an error: the caller closes the file
                        writing.result()
                if not count:
                    return layout.finish()
                filled = 0

    def _folder(self, path: bytes) -> Node:
        self.enter(path)
        stack = [_Folder(path, b"", 0)]
        while True:
            folder = stack[-1]
            following = next(folder.pending, None)
            if following is not None:
                name, is_folder = following
                below = os.path.join(folder.path, name)
                if is_folder:
                    self.enter(below)
                    stack.append(_Folder(below, name, len(stack)))
                else:
                    folder.done.add(Entry(name, *self._file(below)))
                continue
            made = folder.done.directory(self.sink)
            stack.pop()
            if not stack:
                return made
            stack[-1].done.add(Entry(folder.name, *made))

    def _file(self, path: bytes) -> Node:
        self._files += 1
        # The kind was seen in the listing; O_NOFOLLOW and O_NONBLOCK hold what changed since.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            return self.read(path, descriptor)
        finally:
            os.close(descriptor)


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
