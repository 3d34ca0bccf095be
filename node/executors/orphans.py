"""Finding what a killed node left running, without a file per run: by its working directory."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

PASSES_MAX = 100
"""How often one looks again: whoever starts children faster than that is not run down."""
END_MS = 5_000
"""How long killed processes are waited for, since the last one ended."""


def kill_inside(folder: Path) -> None:
    """Kill every process of ours whose working directory is `folder` or lies in it.

    Looks again until nothing is found: what was listed may have started others before it died. A
    command that went elsewhere and into a session of its own is not found; the process engine is
    for commands that the operator trusts that far.
    """
    root = os.path.realpath(folder)
    for _ in range(PASSES_MAX):
        with ExitStack() as stack:
            killed = list(_kill(root, stack))
            if not killed or not _ended(killed):
                return


def _kill(root: str, stack: ExitStack) -> Iterator[int]:
    """Kill what lies in `root` now and yield a handle of each, which `stack` closes."""
    for name in os.listdir("/proc"):
        if not name.isdigit() or not _lies_in(name, root):
            continue
        try:
            handle = os.pidfd_open(int(name))
        except OSError:
            continue
        stack.callback(os.close, handle)
        # The number may have passed to another process since it was listed; the handle cannot.
        if _lies_in(name, root):
            try:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            except OSError:
                continue
            yield handle


def _lies_in(pid: str, root: str) -> bool:
    try:
        cwd = os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)")
    except OSError:
        return False
    return cwd == root or cwd.startswith(root + "/")


def _ended(handles: list[int]) -> bool:
    """Wait until all have ended; False when the system does not let one of them go."""
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    left = len(handles)
    while left and (ended := poll.poll(END_MS)):
        for handle, _ in ended:
            poll.unregister(handle)
        left -= len(ended)
    return not left
