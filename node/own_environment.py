"""Secrets in this process's environment: read once, then taken out of everybody's sight.

Children inherit what `os.environ` holds, so a node's secrets are taken out of it. And the kernel
shows any process of the same user the memory in which this one was given its variables, whatever
became of them since: a job that runs as a plain process would find them, and those of other
programs such as AWS_SECRET_ACCESS_KEY, in `/proc/PID/environ` of its parent. So that is cleared.
"""

import ctypes
import os
from contextlib import suppress

_PR_SET_DUMPABLE = 4
_ENV_START, _ENV_END = 47, 48
"""Fields 50 and 51 of `/proc/self/stat`, counted from the one behind the name."""


def take_variables(prefix: str) -> dict[str, str]:
    """Return the variables of that prefix, which no child inherits any more."""
    return {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(prefix)}


def conceal() -> None:
    """Keep other processes of this user from reading this one's variables and memory.

    The variables stay what they are, elsewhere in memory. Root's processes can still search that.
    """
    with suppress(OSError, ValueError, IndexError):
        for name, value in list(os.environb.items()):
            os.environb[name] = value  # a copy of the C library's own
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
        with open("/proc/self/environ", "rb") as file:
            shown = file.read()
        if start and shown and ctypes.string_at(start, end - start) == shown:
            ctypes.memset(start, 0, end - start)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
