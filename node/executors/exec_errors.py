"""What a command that cannot be executed comes to: the user's result, as a shell would say it."""

import errno

from node.executors.port import NOT_EXECUTABLE_EXIT, NOT_FOUND_EXIT

Answer = tuple[int | None, str]

_REASONS = {
    errno.ENOENT: (NOT_FOUND_EXIT, "command not found"),
    errno.ENOTDIR: (NOT_FOUND_EXIT, "command not found"),
    errno.EACCES: (NOT_EXECUTABLE_EXIT, "permission denied"),
    errno.EPERM: (NOT_EXECUTABLE_EXIT, "permission denied"),
    errno.EISDIR: (NOT_EXECUTABLE_EXIT, "is a directory"),
    errno.ENOEXEC: (NOT_EXECUTABLE_EXIT, "not an executable format"),
    errno.ELOOP: (NOT_EXECUTABLE_EXIT, "too many links"),
    errno.E2BIG: (NOT_EXECUTABLE_EXIT, "argument list too long"),
    errno.ENAMETOOLONG: (NOT_EXECUTABLE_EXIT, "name too long"),
}


def answer(command: str, number: int | None) -> Answer:
    """Return exit code and stderr for an errno of exec; the code is None for infrastructure."""
    code, reason = _REASONS.get(number or 0, (None, "no process could be started"))
    return code, f"lota: {command}: {reason}\n" if code is not None else reason


def answers(command: str) -> dict[str, Answer]:
    """Return all of them by errno, and `other`, as JSON keys for a runner without this module."""
    table = {str(number): answer(command, number) for number in _REASONS}
    return {**table, "other": answer(command, None)}
