"""Local files and folders as inputs: `file:///path`."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from events.errors import ExecutorError
from events.inputs.file_uri import allowed, to_path
from events.inputs.interruptible import in_thread
from events.inputs.local import LocalFiles
from events.inputs.reading import CHUNK_BYTES, Check, open_below
from events.items import ListedFile

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileSource(LocalFiles):
    """Reads this machine's files; `allow` are the folders it may stage from, None for all."""

    def __init__(self, *, allow: Sequence[str] | None = None) -> None:
        self._allow = allow

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
