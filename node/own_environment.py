"""Secrets in this process's environment: read once, then taken out of everybody's sight.

Children inherit what `os.environ` holds. And the kernel shows any process of the same user the
memory in which this one was given its variables, whatever became of them since: a job that runs as
a plain process would find them in `/proc/PID/environ` of its parent. So both are cleared, and the
rest of this process's memory is closed to others of the same user.
"""

import ctypes
import os
from contextlib import suppress

_PR_SET_DUMPABLE = 4
_ENV_START, _ENV_END = 47, 48
"""Fields 50 and 51 of `/proc/self/stat`, counted from the one behind the name."""


def take_variables(prefix: str) -> dict[str, str]:
    """Return the variables of that prefix, which no child and no other process sees any more."""
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(prefix)}
    if taken:
        with suppress(OSError, ValueError, IndexError):
            _wipe(os.fsencode(prefix))
    return taken


def close_to_others() -> None:
    """Keep other processes of this user out of this one's memory; root's are not kept out."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _wipe(prefix: bytes) -> None:
    """Overwrite variables where the kernel reads them, which is where they stood at the start."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    with open("/proc/self/environ", "rb") as file:
        shown = file.read()
    if not start or ctypes.string_at(start, end - start) != shown:
        return
    at = start
    for entry in shown.split(b"\0"):
        if entry.startswith(prefix):
            ctypes.memset(at, 0, len(entry))
        at += len(entry) + 1
