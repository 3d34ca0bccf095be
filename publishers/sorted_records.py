"""Sorting more records than memory should hold, by way of a temporary file.

A folder of a million files, and the index of a tree as large, must come in order. So full batches
are sorted and put aside, and merged when they are read.
"""

import heapq
import os
import tempfile
from collections.abc import Iterator
from typing import IO

from publishers.disk import disk_error

BATCH_BYTES = 8 << 20
_RECORD_COST_BYTES = 48  # what Python adds to each bytes object, and the list's reference to it
_READ_BYTES = 64 * 1024
_LENGTH_BYTES = 4


class SortedRecords:
    """Takes records of bytes in any order and gives them sorted; blocks.

    It holds some 8 MiB, and 64 KiB for each batch that was put aside. Equal records all stay.
    Raises `PublishError` when the disk of temporary files is full or fails.
    """

    def __init__(self) -> None:
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._file: IO[bytes] | None = None
        self._runs: list[tuple[int, int]] = []

    def add(self, record: bytes) -> None:
        """Take one record."""
        self._batch.append(record)
        self._batch_bytes += len(record) + _RECORD_COST_BYTES
        if self._batch_bytes > BATCH_BYTES:
            try:
                self._put_aside()
            except OSError as error:
                raise disk_error(error, f"the folder {tempfile.gettempdir()}") from error

    def __iter__(self) -> Iterator[bytes]:
        """Give all records taken so far, from the least on."""
        self._batch.sort()
        if self._file is None:
            return iter(self._batch)
        runs = [self._run(*ends) for ends in self._runs]
        return heapq.merge(*runs, self._batch)

    def close(self) -> None:
        """Give the temporary file back; safe to repeat."""
        if self._file is not None:
            self._file.close()

    def _put_aside(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115 - see close
        start = self._file.tell()
        self._batch.sort()
        for record in self._batch:
            self._file.write(len(record).to_bytes(_LENGTH_BYTES, "big") + record)
        self._file.flush()
        self._runs.append((start, self._file.tell()))
        self._batch = []
        self._batch_bytes = 0

    def _run(self, at: int, end: int) -> Iterator[bytes]:
        assert self._file is not None
        descriptor = self._file.fileno()
        data = b""
        start = 0
        while start < len(data) or at < end:
            length = int.from_bytes(data[start : start + _LENGTH_BYTES], "big")
            stop = start + _LENGTH_BYTES + length
            if len(data) - start < _LENGTH_BYTES or stop > len(data):
                more = _read(descriptor, min(_READ_BYTES, end - at), at)
                data, start = data[start:] + more, 0
                at += len(more)
                continue
            yield data[start + _LENGTH_BYTES : stop]
            start = stop


def _read(descriptor: int, size_bytes: int, at: int) -> bytes:
    try:
        data = os.pread(descriptor, size_bytes, at)
        if not data:
            raise OSError(f"a temporary file ends at {at} bytes")
    except OSError as error:
        raise disk_error(error, f"the folder {tempfile.gettempdir()}") from error
    return data
