"""The tree that an execution leaves: `stdout`, `stderr`, `exit_code`, `outputs/`.

It is assembled beside its final name and renamed, so `folder/result` is complete or absent; each
step may be repeated after a crash. All functions block: call them in a thread.
"""

import errno
import os
from pathlib import Path

from events.errors import ExecutorError
from events.unixfs import MAX_DEPTH
from node.executors.environment import OUTPUTS
from node.executors.port import MEMORY_RESULT_BYTES, Outcome
from node.executors.removal import own, remove_tree

RESULT = "result"


def finished(folder: Path) -> Outcome | None:
    """Return the outcome that `folder/result` holds, None when there is none."""
    result = folder / RESULT
    try:
        exit_code = int((result / "exit_code").read_bytes())
    except FileNotFoundError:
        return None
    size = sum((result / name).stat().st_size for name in ("stdout", "stderr"))
    if size > MEMORY_RESULT_BYTES or os.listdir(result / OUTPUTS):
        return Outcome(exit_code, folder=result)
    return Outcome(exit_code, (result / "stdout").read_bytes(), (result / "stderr").read_bytes())


def assemble(
    folder: Path, exit_code: int, stdout: bytes | Path, stderr: bytes | Path, outputs: Path | None
) -> Outcome:
    """Make `folder/result` from bytes that are written and paths that are moved; return it.

    No `outputs` is an empty folder.
    The paths and `folder` lie on one file system. A repeat goes on where a crash interrupted.
    """
    part = folder / f"{RESULT}.part"
    part.mkdir(parents=True, exist_ok=True)
    for source, name in ((stdout, "stdout"), (stderr, "stderr"), (outputs, OUTPUTS)):
        if source is None:
            remove_tree(part / name)
            (part / name).mkdir()
        elif isinstance(source, bytes):
            (part / name).write_bytes(source)
        else:
            _move(source, part / name)
    (part / "exit_code").write_bytes(str(exit_code).encode())
    part.rename(folder / RESULT)
    outcome = finished(folder)
    assert outcome is not None
    return outcome


def check_outputs(outputs: Path, limit_bytes: int) -> None:
    """Make the tree readable to the node.

    Raises ExecutorError: `disk_limit` when it is too big, `result` when it is too deep to be read.

    A command may leave files that it took its own rights to; modes are no part of the result.
    """
    if not os.path.lexists(outputs):
        outputs.mkdir()
    if outputs.is_symlink() or not outputs.is_dir():
        raise ExecutorError(
            "lost", "the command replaced its outputs folder", hint="write into the folder"
        )
    try:
        size = _own_all(os.fspath(outputs))
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise ExecutorError(
            "result", "a path in outputs/ is too long to be opened", hint="use shorter names"
        ) from error
    if limit_bytes and size > limit_bytes:
        raise ExecutorError(
            "disk_limit",
            f"outputs/ holds {size:,} bytes and the limit is {limit_bytes:,}",
            hint="raise resources.disk",
        )


def _own_all(outputs: str) -> int:
    size = 0
    waiting = [(outputs, 1)]
    while waiting:
        folder, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ExecutorError(
                "result", f"outputs/ has folders more than {MAX_DEPTH} deep", hint="nest them less"
            )
        own(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, depth + 1))
                else:
                    size += own(entry.path)
    return size


def _move(source: Path, target: Path) -> None:
    if not source.exists():
        return
    if target.is_dir():
        remove_tree(target)
    source.rename(target)
