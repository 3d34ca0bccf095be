"""The engine that does nothing at all, for measuring everything around it."""

from pathlib import Path

from node.executors.failures import not_running
from node.executors.port import Outcome, Stream, Task

_NOTHING = Outcome(0)


class NoopExecutor:
    """Answers exit code 0 and empty output at once; holds no state."""

    name = "noop"

    async def check(self) -> None:
        """Return: it can always run."""

    def run_now(self, task: Task) -> Outcome:
        """Return the outcome without a turn of the event loop, thousands of times in one."""
        return _NOTHING

    async def run(self, task: Task, folder: Path) -> Outcome:
        """Return the same outcome as `run_now`; `folder` is not touched."""
        return _NOTHING

    async def stop(self, execution: str) -> None:
        """Return: nothing ever runs."""

    async def list_running(self) -> list[str]:
        """Return no execution."""
        return []

    async def read_output(self, execution: str, stream: Stream, offset: int, limit: int) -> bytes:
        """Raise NotFound: nothing ever runs."""
        raise not_running(execution)

    def detach(self) -> None:
        """Return: there is nothing to leave alone."""

    async def close(self) -> None:
        """Return: there is nothing to let go of."""
