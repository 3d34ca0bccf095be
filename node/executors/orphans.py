"""Finding what a killed node left running, without a file per run: by its working directory."""

import os
import signal
from pathlib import Path


def kill_inside(folder: Path) -> None:
    """Kill every process of ours whose working directory is `folder` or lies in it.

    A command that went elsewhere and into a session of its own is not found; the process engine
    is for commands that the operator trusts that far.
    """
    root = os.path.realpath(folder)
    for name in os.listdir("/proc"):
        if name.isdigit() and _lies_in(name, root):
            _kill(int(name), root)


def _lies_in(pid: str, root: str) -> bool:
    try:
        cwd = os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)")
    except OSError:
        return False
    return cwd == root or cwd.startswith(root + "/")


def _kill(pid: int, root: str) -> None:
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        # The number may have passed to another process since it was listed; the handle cannot.
        if _lies_in(str(pid), root):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        pass
    finally:
        os.close(handle)
