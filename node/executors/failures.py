"""The failures that every engine words alike."""

from events.errors import ExecutorError, NotFound


def timed_out(timeout_s: float) -> ExecutorError:
    """Return `timeout`: the command was killed at its limit."""
    return ExecutorError(
        "timeout", f"the command ran longer than {timeout_s:g} s", hint="raise the job's timeout"
    )


def too_much_output(limit_bytes: int) -> ExecutorError:
    """Return `output_limit`: the command was killed for what it wrote."""
    return ExecutorError(
        "output_limit",
        f"the command wrote more than {limit_bytes:,} bytes to stdout and stderr",
        hint="write to the outputs folder instead",
    )


def busy(execution: str) -> ExecutorError:
    """Return `busy`: a second `run` of an execution that this object runs already."""
    return ExecutorError(
        "busy", f"execution {execution} is already being run", hint="wait for the run under way"
    )


def not_running(execution: str) -> NotFound:
    """Return the answer to a question about an execution that does not run here."""
    return NotFound(
        f"execution {execution} does not run here", hint="if it has finished, ask for its result"
    )
