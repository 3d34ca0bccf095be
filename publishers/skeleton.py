"""A result's skeleton: all of its blocks but the leaves, which are the bytes of its files.

Whoever has the skeleton and the files has every block of the tree. It is small, some 50 bytes for
each MiB or file, so it is kept beside files that lie in a folder or an object store, and one file
of a large result is then read, and verified, without the rest.
"""

import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import IO

from events.cid import DAG_PB, cid_bytes, cid_text, matches
from events.dagpb import Sink
from events.errors import ContentError, NotFound, PublishError
from events.unixfs import Root
from publishers.car_blocks import HEADER_BYTES as CAR_HEADER_BYTES
from publishers.car_blocks import Car, header, section, section_bytes
from publishers.disk import disk_error
from publishers.indexed_car import (
    DIGEST_BYTES,
    ENTRY_BYTES,
    HEADER_BYTES,
    answer,
    answer_from,
    file_header,
    find_block,
    index_header,
    layout,
)
from publishers.pages import Pages
from publishers.port import Result
from publishers.result_blocks import pack
from publishers.sorted_records import SortedRecords
from publishers.tree_walk import Tree

IN_MEMORY_BYTES = 1 << 20
"""Up to this size a skeleton is held in memory, and fetched in one read."""

INDEX_IN_MEMORY = 100_000
"""Blocks up to which the index of a local skeleton is held, at 40 bytes each."""

_REMEMBERED = 50_000
_COPY_BYTES = 1 << 20


class Skeleton:
    """The skeleton of a result on this machine; blocks, and is safe to read from many threads."""

    def __init__(self, file: IO[bytes], size_bytes: int) -> None:
        """Read what `build` or `write` has written; raises `ContentError` when it is damaged."""
        self.size_bytes = size_bytes
        self._file: IO[bytes] | None = None
        self._data = b""
        if size_bytes <= IN_MEMORY_BYTES:
            file.seek(0)
            self._data = file.read(size_bytes)
            file.close()
        else:
            self._file = file
        self._index = b""
        self._layout = answer(layout(size_bytes), self._read)
        if self._file is not None and self._layout.entries <= INDEX_IN_MEMORY:
            index_bytes = self._layout.entries * ENTRY_BYTES  # the file may go on behind it
            self._index = self._read(self._layout.entries_at, index_bytes)
        car = self._read(self._layout.data_at, CAR_HEADER_BYTES)
        self.cid = cid_text(Car(BytesIO(car)).root)

    @classmethod
    def build(cls, result: Result, leaves: Sink | None = None) -> "BuiltSkeleton":
        """Hash a result, and keep its skeleton in memory or, when it is large, a temporary file.

        The blocks that the skeleton leaves out go to `leaves`, which must raise nothing.
        Raises `PublishError`: `no-result`, `bad-result`, or what the disk of temporary files says.
        """
        return BuiltSkeleton(partial(pack, result), leaves)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Skeleton":
        """Open what `write` has written; raises `ContentError` for what is none, and OSError."""
        file = open(path, "rb", opener=_at_once)  # noqa: SIM115 - it stays open as long as this
        try:
            return cls(file, os.fstat(file.fileno()).st_size)
        except BaseException:
            file.close()
            raise

    def node(self, cid: bytes) -> bytes:
        """Return a block by its CID in 36 bytes, verified.

        Raises `NotFound` when it is not in here, `ContentError` when the file is damaged, OSError.
        """
        block = answer(find_block(self._layout, cid), self._read)
        return _checked(cid, block)

    def chunks(self) -> Iterator[bytes]:
        """Give the `size_bytes` that `write` writes, at most 1 MiB at a time."""
        for offset in range(0, self.size_bytes, _COPY_BYTES):
            yield self._read(offset, _COPY_BYTES)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a CAR of version 2 with an index, which `open` and `StoredSkeleton` read.

        The same result always gives the same bytes. The caller makes it durable. Raises OSError,
        also when there is something at `path`; of what it wrote before, nothing stays.
        """
        with open(path, "xb") as target:
            try:
                target.writelines(self.chunks())
                target.flush()
            except BaseException:
                with suppress(OSError):
                    os.unlink(path)
                raise

    def close(self) -> None:
        """Give files back; safe to repeat."""
        if self._file is not None:
            self._file.close()

    def _read(self, offset: int, size_bytes: int) -> bytes:
        if self._file is None:
            return self._data[offset : offset + size_bytes]
        if self._index and offset >= self._layout.entries_at:
            start = offset - self._layout.entries_at
            return self._index[start : start + size_bytes]
        return os.pread(self._file.fileno(), size_bytes, offset)


def _at_once(path: str, flags: int) -> int:
    """Open a file, and wait for nobody to write to what turns out to be a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


class BuiltSkeleton(Skeleton):
    """A skeleton whose result was just hashed, so that more is known of it.

    `dag_size_bytes` is the tree's, `car_size_bytes` that of one CAR with all of its blocks, `files`
    how many files it has.
    """

    def __init__(self, walk: Callable[[Sink], Tree], leaves: Sink | None = None) -> None:
        """Take the blocks that a walk over the result gives; see `Skeleton.build`.

        Raises what the walk raises, and `PublishError` for the disk of temporary files.
        """
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - as above
        try:
            writer = _Writer(file, leaves)
            tree = walk(writer.add)
            try:
                size_bytes = writer.finish(tree.cid)
                if size_bytes > IN_MEMORY_BYTES:
                    file.rollover()
                super().__init__(file, size_bytes)
            except OSError as error:
                raise disk_error(error, f"the folder {tempfile.gettempdir()}") from error
        except BaseException:
            file.close()
            raise
        self.dag_size_bytes = tree.dag_size_bytes
        self.files = tree.files
        self.car_size_bytes = writer.car_size_bytes

    @property
    def root(self) -> Root:
        """The root as a claim names it."""
        return Root(self.cid, self.dag_size_bytes)


class StoredSkeleton:
    """A skeleton that lies elsewhere and is read by ranges; what it gives is not verified.

    `read(offset, size)` returns that many bytes, fewer at the end of the file. Memory: 1 MiB for a
    small skeleton, up to 32 MiB for a large one.
    """

    def __init__(self, read: Callable[[int, int], Awaitable[bytes]], size_bytes: int) -> None:
        page_bytes = size_bytes if size_bytes <= IN_MEMORY_BYTES else 0
        self._pages = Pages(read, size_bytes, page_bytes)
        self._size_bytes = size_bytes

    async def node(self, cid: bytes) -> bytes:
        """Return a block by its CID in 36 bytes.

        Raises `NotFound` when it is not in here, `PublishError` when the file makes no sense, and
        whatever `read` raises.
        """
        try:
            where = await answer_from(layout(self._size_bytes), self._pages.read)
            block = await answer_from(find_block(where, cid), self._pages.read)
        except ContentError as error:
            raise PublishError("tampered", error.what, permanent=True, hint=error.hint) from error
        if block is None:
            raise _missing(cid)
        return block


class _Writer:
    """Writes the blocks of a tree, as they are made, and then the index."""

    def __init__(self, file: IO[bytes], leaves: Sink | None) -> None:
        self._file = file
        self._leaves = leaves
        self._at = CAR_HEADER_BYTES
        self._index = SortedRecords()
        self._seen: set[bytes] = set()
        self.car_size_bytes = CAR_HEADER_BYTES
        file.write(bytes(HEADER_BYTES + CAR_HEADER_BYTES))

    def add(self, cid: bytes, block: bytes | memoryview) -> None:
        size_bytes = section_bytes(len(block))
        self.car_size_bytes += size_bytes
        if cid[1] != DAG_PB:
            if self._leaves is not None:
                self._leaves(cid, block)
            return
        digest = cid[-DIGEST_BYTES:]
        if digest in self._seen:
            return  # a thousand equal folders are one block
        if len(self._seen) < _REMEMBERED:
            self._seen.add(digest)
        try:
            self._file.write(section(cid, len(block)))
            self._file.write(block)
            self._index.add(digest + self._at.to_bytes(8, "big"))
        except OSError as error:  # not to be taken for one of reading the result
            raise disk_error(error, f"the folder {tempfile.gettempdir()}") from error
        self._at += size_bytes

    def finish(self, cid: str) -> int:
        """Write the index and the headers; return the size of the whole file."""
        try:
            entries_at = self._file.tell()
            self._file.write(index_header(0))
            entries = self._write_entries()
        finally:
            self._index.close()
        end = self._file.tell()
        self._file.seek(entries_at)
        self._file.write(index_header(entries))
        self._file.seek(0)
        self._file.write(file_header(self._at) + header(cid_bytes(cid)))
        self._file.flush()
        return end

    def _write_entries(self) -> int:
        entries = 0
        before = b""
        for record in self._index:
            digest = record[:DIGEST_BYTES]
            if digest != before:
                self._file.write(digest + record[DIGEST_BYTES:][::-1])
                before = digest
                entries += 1
        return entries


def _checked(cid: bytes, block: bytes | None) -> bytes:
    if block is None:
        raise _missing(cid)
    if not matches(cid, block):
        raise ContentError(
            f"the skeleton's block {cid_text(cid)} is damaged", hint="Make the skeleton anew"
        )
    return block


def _missing(cid: bytes) -> NotFound:
    return NotFound(f"the skeleton does not have {cid_text(cid)}", hint="Read from another copy")
