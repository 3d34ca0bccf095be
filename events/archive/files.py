"""Export files on disk, compressed if their name says so. Blocking: call it in a thread.

A file under its name is whole: it is written beside and renamed when it is on the disk.
"""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO

from events.archive.lines import CUT, RESTORE
from events.errors import DamagedExport, ExportError, InvalidInput, TruncatedExport

COMPRESSED = ".zst"
BUFFER_BYTES = 1024 * 1024
STEP_LINES = 2_000
STEP_BYTES = 4 * 1024 * 1024
LINE_BYTES_MAX = 96 * 1024 * 1024
"""The longest line that is read: the largest message that a NATS server takes (64 MiB), in base64
and with its subject. It bounds the memory that a foreign file can claim."""


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """Open an export for reading, decompressed.

    Raises InvalidInput when there is no such file, ExportError when zstd is needed and missing,
    TruncatedExport when so little of it is there that nothing can be decompressed, and, where the
    block reads it, DamagedExport for what is not zstd.
    """
    try:
        with path.open("rb", buffering=BUFFER_BYTES) as file:
            if path.suffix != COMPRESSED:
                yield file
                return
            zstd = _zstd()
            reader = zstd.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            try:
                unpacked = io.BufferedReader(reader, BUFFER_BYTES)
                if not unpacked.peek(1) and path.stat().st_size:
                    raise TruncatedExport("it is cut off before the end of a line", hint=CUT)
                yield unpacked
            except zstd.ZstdError as error:
                raise DamagedExport(f"it is not whole: {error}", hint=RESTORE) from None
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}", hint="name a file of `lota events export`"
        ) from None


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what is left of an export, line by line, each with its line break.

    Raises DamagedExport for a line beyond all bounds.
    """
    while line := file.readline(LINE_BYTES_MAX):
        if len(line) == LINE_BYTES_MAX:
            raise DamagedExport(f"a line has more than {LINE_BYTES_MAX} bytes", hint=RESTORE)
        yield line


def step(rest: Iterator[bytes]) -> list[bytes]:
    """Return the next lines: as many as are worth a turn in a thread; none at the end.

    Their number bounds how long the turn takes, and their size how much memory they do.
    """
    taken: list[bytes] = []
    size_bytes = 0
    for line in rest:
        taken.append(line)
        size_bytes += len(line)
        if len(taken) == STEP_LINES or size_bytes >= STEP_BYTES:
            break
    return taken


def skip_to(file: IO[bytes], offset: int) -> None:
    """Go on reading at `offset` of what is decompressed; `file` has not been read from yet."""
    if file.seekable():
        file.seek(offset)
        return
    while offset > 0 and (passed := file.read(min(offset, BUFFER_BYTES))):
        offset -= len(passed)


@contextmanager
def writing(path: Path, *, new: bool = False) -> Iterator[IO[bytes]]:
    """Open an export for writing; only when the block ends well is there a file of that name.

    One that is there by then is replaced, or, with `new`, stays: that is an error then.
    What is there and no file, a pipe or a device, is written to as it is. Raises InvalidInput when
    it cannot be written, ExportError when zstd is needed and missing.
    """
    path = path.resolve()  # of a link, the file behind it is replaced
    stays = path.exists() and not path.is_file()
    part = path if stays else path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb", buffering=BUFFER_BYTES) as file:
            with _packing(file, path) as packed:
                yield packed
            file.flush()
            if not stays:
                os.fsync(file.fileno())
        if not stays:
            if new:
                path.touch(exist_ok=False)  # of two that write it at once the first does
            part.replace(path)
            _keep_name(path)
    except ConnectionError:
        raise  # it came from the server that is exported, not from the file
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror}", hint="choose another file or make room"
        ) from None
    finally:
        if not stays:
            with suppress(OSError):
                part.unlink(missing_ok=True)


@contextmanager
def _packing(file: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """Compress what is written to `file` if its name says so."""
    if path.suffix != COMPRESSED:
        yield file
        return
    writer = _zstd().ZstdCompressor().stream_writer(file, closefd=False)
    with io.BufferedWriter(writer, BUFFER_BYTES) as packed:
        yield packed


def _keep_name(path: Path) -> None:
    """Have the folder's entry on the disk too."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _zstd() -> ModuleType:
    try:
        return import_module("zstandard")
    except ImportError:
        raise ExportError(
            "files that end in .zst need the package zstandard",
            hint="install lota[zstd], or use a file that ends in .jsonl",
        ) from None


@asynccontextmanager
async def in_thread(opening: AbstractContextManager[IO[bytes]]) -> AsyncIterator[IO[bytes]]:
    """Enter and leave `reading` or `writing` in a thread: opening, flushing and renaming block."""
    file = await asyncio.to_thread(opening.__enter__)
    try:
        yield file
    except BaseException as error:
        await asyncio.to_thread(opening.__exit__, type(error), error, error.__traceback__)
        raise
    await asyncio.to_thread(opening.__exit__, None, None, None)
