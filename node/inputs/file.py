"""Local files and folders as inputs: `file:///path`."""

import asyncio
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from events.errors import ExecutorError
from events.items import ListedFile
from node.inputs.file_uri import allowed, to_path, to_uri
from node.inputs.interruptible import in_thread
from node.inputs.port import Found, Progress
from node.inputs.reading import CHUNK_BYTES, Check, find_files, hash_files, open_below

BATCH_FILES = 64
READERS = min(4, os.cpu_count() or 1)

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileSource:
    """Reads this machine's files; `allow` are the folders it may stage from, None for all."""

    scheme = "file"

    def __init__(self, *, allow: Sequence[str] | None = None) -> None:
        self._allow = allow

    async def canonical(self, source: str) -> str:
        return to_uri(to_path(source))

    async def list(
        self, source: str, matcher: re.Pattern[str], *, progress: Progress | None = None
    ) -> Found:
        paths, seen = await in_thread(partial(find_files, source, matcher))
        found: dict[str, ListedFile] = {}
        size_bytes = 0

        async def read(batches: Iterator[list[str]]) -> None:
            nonlocal size_bytes
            for batch in batches:
                files = await in_thread(partial(hash_files, source, batch))
                found.update((file.path, file) for file in files)
                size_bytes += sum(file.size_bytes for file in files)
                if progress is not None:
                    progress(len(found), size_bytes)

        batches = (paths[at : at + BATCH_FILES] for at in range(0, len(paths), BATCH_FILES))
        readers = [asyncio.create_task(read(batches)) for _ in range(READERS)]
        try:
            await asyncio.gather(*readers)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers)
        return Found(tuple(found[path] for path in paths), seen)

    async def stage(self, source: str, files: Sequence[ListedFile], dest: Path) -> None:
        await in_thread(partial(self._stage, source, files, os.fspath(dest)))

    def _stage(self, source: str, files: Sequence[ListedFile], dest: str, check: Check) -> None:
        if self._allow is not None and not allowed(source, self._allow):
            raise ExecutorError(
                "input_denied",
                f"{source} is outside of what this node may read",
                hint="its operator allows folders with --allow-path",
            )
        root = os.path.realpath(to_path(source))
        for file in files:
            target = os.path.join(dest, file.path) if file.path else dest
            try:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with suppress(FileNotFoundError):
                    os.unlink(target)
                with open(os.open(target, _NEW_FILE, 0o444), "wb", buffering=0) as copy:
                    _copy(root, file, copy.fileno(), check)
            except OSError as error:
                raise ExecutorError(
                    "stage", f"{target} cannot be written: {_reason(error)}", hint="free some space"
                ) from None


def _copy(root: str, file: ListedFile, copy: int, check: Check) -> None:
    """Write the file's bytes to `copy`; raises ExecutorError if they are not those listed."""
    name = os.path.join(root, file.path) if file.path else root
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(root, file.path, name):
        size += len(chunk)
        if size > file.size_bytes:
            break
        digest.update(chunk)
        _write(copy, chunk)
        check()
    if size != file.size_bytes or digest.hexdigest() != file.digest:
        raise _changed(f"{name} is no longer what was listed")


def _chunks(root: str, path: str, name: str) -> Iterator[memoryview]:
    """Yield the file's bytes in pieces that share one buffer."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    try:
        with open_below(root, path) as file:
            while count := os.readv(file, [buffer]):
                yield buffer[:count]
    except PermissionError as error:
        raise ExecutorError(
            "input_unreadable", f"{name}: {_reason(error)}", hint="let the node's user read it"
        ) from None
    except OSError as error:
        raise _changed(f"{name}: {_reason(error)}") from None


def _write(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]


def _changed(what: str) -> ExecutorError:
    return ExecutorError(
        "input_changed", what, hint="submit the job again, and leave its inputs alone until it ends"
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
