"""A stdout that says of itself when it cannot be written.

The error of a full disk tells neither by its type nor by a name which file was full.
"""

import io
import os
import sys
from typing import Any

from events.errors import LotaError


class OutputLost(LotaError):
    """Stdout took no more: what was printed is not whole."""


class _Stdout(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except (BrokenPipeError, BlockingIOError):
            raise
        except OSError as error:
            raise OutputLost(
                f"stdout cannot be written: {error.strerror}",
                hint="what was printed is not whole",
            ) from error


def name_stdout() -> None:
    """Have a stdout that is a file of this process raise OutputLost when that cannot be written."""
    stdout = sys.stdout
    if not isinstance(stdout, io.TextIOWrapper) or stdout is not sys.__stdout__:
        return
    stdout.flush()
    raw = _Stdout(stdout.fileno(), "w", closefd=False)
    buffered = isinstance(stdout.buffer, io.BufferedWriter)  # not under PYTHONUNBUFFERED
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw) if buffered else raw,
        encoding=stdout.encoding,
        errors=stdout.errors,
        line_buffering=stdout.line_buffering,
        write_through=stdout.write_through,
    )


def give_up_stdout() -> None:
    """Let go of what is buffered, which must not fail once more when this process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
