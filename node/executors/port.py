"""What every executor owes the node: run one execution, safely to repeat, and leave nothing behind.

A command that ended is an `Outcome` whatever its exit code; an `ExecutorError` is one node's word
about its own infrastructure and is retried elsewhere. Its codes: `unavailable` (the engine cannot
be reached), `spawn` (a process could not be started), `image` (there is no such image), `timeout`,
`output_limit` (stdout and stderr), `disk_limit` (outputs/), `busy` (this execution is already being
run by this object), `conflict` (another node holds it), `lost` (it ended and left no result).
"""

from pathlib import Path
from typing import Literal, Protocol

import msgspec

Stream = Literal["stdout", "stderr"]

MEMORY_RESULT_BYTES = 64 * 1024
"""A result with nothing in outputs/ and no more than this in stdout and stderr stays in memory."""

OUTPUT_BYTES_MAX = 16 * 1024 * 1024
"""The default limit of stdout and stderr together."""

NOT_FOUND_EXIT = 127
"""What a shell answers when there is no such command."""

NOT_EXECUTABLE_EXIT = 126
"""What a shell answers when the file is there and cannot be executed."""


class Limits(msgspec.Struct, frozen=True, gc=False):
    """What one execution may use: cores, and bytes of memory and of outputs/ (0: no limit)."""

    cpu: float = 1.0
    memory_bytes: int = 0
    disk_bytes: int = 0


class Task(msgspec.Struct, frozen=True):
    """One execution, ready to run.

    `execution` is `<job>-<shard>-<attempt>`; what a driver makes (folder, container) is named
    after it. `inputs` is a folder that is staged already; the driver gives
    the command a real folder, whether that one or another with the same files.
    """

    execution: str
    job: str
    shard: int = 0
    shards: int = 1
    engine: str = "process"
    image: str = ""
    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    inputs: Path | None = None
    limits: Limits = Limits()
    timeout_s: float = 1800.0
    network: Literal["none"] = "none"


class Outcome(msgspec.Struct, frozen=True):
    """A command that ended. A death by signal n is exit code 128 + n, as in a shell.

    With `folder` the result is the tree `stdout`, `stderr`, `exit_code`, `outputs/` there;
    without, it is these bytes and an empty outputs/.
    """

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""
    folder: Path | None = None


class Executor(Protocol):
    """One engine. One `run` per execution at a time is the caller's part, and so is the width."""

    @property
    def name(self) -> str:
        """The engine's name in specs and capabilities."""
        ...

    async def check(self) -> None:
        """Raise ExecutorError with what to do when this engine cannot run here."""
        ...

    async def run(self, task: Task, folder: Path) -> Outcome:
        """Run the task to its end; a repeat returns what has finished or adopts what still runs.

        A result that does not stay in memory is the folder `folder/result`, complete or absent.
        Engines that can adopt write it always, so that no crash costs a long run; the caller
        removes `folder` once it has what it needs. An engine that cannot adopt may run a small
        execution again. Cancelling kills the whole tree of processes and waits for its end.

        Raises ExecutorError; its codes stand above.
        """
        ...

    async def stop(self, execution: str) -> None:
        """Kill and clear away an execution that no `run` of this object watches; none is fine."""
        ...

    async def list_running(self) -> list[str]:
        """Return the executions of this node that still run, or ended and were not collected."""
        ...

    async def read_output(self, execution: str, stream: Stream, offset: int, limit: int) -> bytes:
        """Return at most `limit` bytes from `offset` of what a running execution has written.

        Raises NotFound when it does not run here; what has finished is in its outcome.
        """
        ...

    def detach(self) -> None:
        """Begin a clean stop: from now on a cancelled `run` leaves alone what can be adopted."""
        ...

    async def close(self) -> None:
        """Let go of threads and connections, after the last `run` has ended; safe to repeat."""
        ...
