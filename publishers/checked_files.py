"""The files of a result on their way out, each checked against the CID that its tree has for it.

Small files are read in runs, which a thread does at once, and into memory that was used before: to
be handed new memory takes as long as reading and hashing what goes into it.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager

from events.cid import cid_text, raw_cid_bytes
from events.errors import NotFound, PublishError
from events.unixfs import CHUNK_SIZE_BYTES, FileLayout
from publishers.disk import disk_error
from publishers.object_store import PIECE_BYTES
from publishers.port import Result
from publishers.reading import Entry
from publishers.result_blocks import read_file, read_leaf

RUN_BYTES = CHUNK_SIZE_BYTES
"""What the files of a run have at most, and so what a file has that is small."""

RUN_FILES = 64


async def file_runs(entries: AsyncIterator[Entry]) -> AsyncGenerator[list[Entry], None]:
    """Give the files among entries: small ones that follow each other together, others alone."""
    run: list[Entry] = []
    size_bytes = 0
    async for entry in entries:
        if entry.kind != "file":
            continue
        if run and (size_bytes + entry.size_bytes > RUN_BYTES or len(run) == RUN_FILES):
            yield run
            run, size_bytes = [], 0
        run.append(entry)
        size_bytes += entry.size_bytes
    if run:
        yield run


def read_run(result: Result, run: list[Entry], buffer: memoryview) -> list[memoryview]:
    """Read small files one behind the other into a buffer, and return where each lies; blocks.

    Raises `PublishError` for one that is gone, is another, or cannot be read.
    """
    files: list[memoryview] = []
    at = 0
    for entry in run:
        data = buffer[at : at + entry.size_bytes]
        at += entry.size_bytes
        with _failures(entry):
            read_file(result, os.fsencode(entry.path), data)
        if cid_text(raw_cid_bytes(data)) != entry.cid:
            raise _other_bytes(entry)
        files.append(data)
    return files


def checked_pieces(result: Result, entry: Entry) -> Iterator[bytes]:
    """Read a large file in pieces; the last is given only when all have the file's CID; blocks.

    Raises as `read_run` does.
    """
    path = os.fsencode(entry.path)
    layout = FileLayout()
    held = b""
    for offset in range(0, entry.size_bytes, PIECE_BYTES):
        if held:
            yield held
        size_bytes = min(PIECE_BYTES, entry.size_bytes - offset)
        with _failures(entry):
            held = read_leaf(result, path, offset, size_bytes)
        piece = memoryview(held)
        for start in range(0, len(piece), CHUNK_SIZE_BYTES):
            layout.add(piece[start : start + CHUNK_SIZE_BYTES])
    if cid_text(layout.finish().cid) != entry.cid:
        raise _other_bytes(entry)
    yield held


@contextmanager
def _failures(entry: Entry) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise changed(error.what) from error
    except OSError as error:
        raise disk_error(error, f"the result's file {entry.path!r}") from error


def _other_bytes(entry: Entry) -> PublishError:
    return changed(f"the file {entry.path!r} has other bytes than before")


def changed(what: str) -> PublishError:
    """Return the error for a result that is another than when it was hashed."""
    return PublishError(
        "wrong-cid",
        what,
        permanent=True,
        hint="It changed after it was hashed: let another execution publish",
    )
