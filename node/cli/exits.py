"""Exit codes: what a script learns from a command without reading its words.

0 is success, and 130 a Ctrl-C; the rest follows from the error. `lota run` has codes of its own,
since it exits as the job's command did.
"""

from events.errors import (
    InvalidInput,
    InvalidSpec,
    LotaError,
    NotAdmitted,
    NotFound,
    WaitTimedOut,
    WrongUsage,
)

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
NOT_ADMITTED = 4
TIMED_OUT = 5
INTERRUPTED = 130


def code_of(error: LotaError) -> int:
    """Return the exit code that an error ends a command with."""
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, WaitTimedOut):
        return TIMED_OUT
    if isinstance(error, InvalidSpec | InvalidInput | WrongUsage):
        return USAGE
    if isinstance(error, NotAdmitted):
        return NOT_ADMITTED
    return FAILED
