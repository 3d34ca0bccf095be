"""The engine for plain commands of this machine, without isolation: for code the operator trusts.

A command whose time limit is short is a bare child process that a restarted node runs again; one
that may run long has a small parent that survives the node (`adoptable`). What can be limited
without a container is: time, output, address space, outputs/, core dumps. The rest (files,
network, a process that leaves its session) is not.
"""

import asyncio
import os
import resource
from pathlib import Path

from events.errors import ExecutorError
from node.executors.adoptable import AdoptableRuns
from node.executors.cancellation import uncancelled
from node.executors.child import Child
from node.executors.environment import process_environment
from node.executors.exec_errors import answer
from node.executors.failures import busy
from node.executors.port import (
    MEMORY_RESULT_BYTES,
    OUTPUT_BYTES_MAX,
    Outcome,
    Stream,
    Task,
)
from node.executors.result import RESULT, assemble, check_outputs, finished
from node.executors.scratch import ScratchPool


class ProcessExecutor:
    """Runs commands below `root`, a folder of its own on the file system of the results.

    Commands with a time limit of `adopt_from_s` or more can be adopted after a restart; they, and
    those with a memory limit, which must be there before exec, have a small parent. stdout
    and stderr of one command are at most `output_limit_bytes` together.
    """

    name = "process"

    def __init__(
        self,
        root: Path,
        *,
        adopt_from_s: float = 60.0,
        output_limit_bytes: int = OUTPUT_BYTES_MAX,
    ) -> None:
        self._root = root
        self._adopt_from_s = adopt_from_s
        self._output_limit_bytes = output_limit_bytes
        self._scratch = ScratchPool(root / "short")
        self._long = AdoptableRuns(root / "long", output_limit_bytes)
        self._running: dict[str, Child | None] = {}
        self._null: int | None = None

    async def check(self) -> None:
        """Raise ExecutorError `unavailable` where processes cannot be watched or folders made."""
        try:
            os.close(os.pidfd_open(os.getpid()))
        except (AttributeError, OSError):
            raise ExecutorError(
                "unavailable",
                "this system has no process handles",
                hint="the process engine needs Linux 5.4 or newer",
            ) from None
        try:
            await self._open()
        except OSError as error:
            raise ExecutorError(
                "unavailable",
                f"{self._root} cannot be written: {error.strerror}",
                hint="give the node a state folder of its own",
            ) from error

    async def run(self, task: Task, folder: Path) -> Outcome:
        """Run the command to its end; see `Executor.run`. A missing one is exit code 127."""
        if _has_result(folder):
            return await self._found(task, folder)
        if task.execution in self._running:
            raise busy(task.execution)
        self._running[task.execution] = None
        try:
            if task.timeout_s >= self._adopt_from_s or task.limits.memory_bytes:
                return await self._long.run(task, folder)
            return await self._run_short(task, folder)
        finally:
            del self._running[task.execution]

    async def stop(self, execution: str) -> None:
        """Kill and clear away a long command of an earlier process of this node."""
        await self._long.stop(execution)

    async def list_running(self) -> list[str]:
        """Return what runs, and what an earlier process of this node left running."""
        return sorted({*self._running, *self._long.list_running()})

    async def read_output(self, execution: str, stream: Stream, offset: int, limit: int) -> bytes:
        """See `Executor.read_output`."""
        child = self._running.get(execution)
        if child is not None:
            child.drain()
            return bytes(child.output[stream][offset : offset + limit])
        return await self._long.read_output(execution, stream, offset, limit)

    def detach(self) -> None:
        """Leave long commands running when their `run` is cancelled from now on."""
        self._long.detached = True

    async def close(self) -> None:
        """Close the one file that all runs share."""
        if self._null is not None:
            os.close(self._null)
            self._null = None

    async def _open(self) -> int:
        """Open what all runs share; cores are off for this process, and so for its children."""
        await self._scratch.open()
        if self._null is None:
            resource.setrlimit(
                resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1])
            )
            self._null = os.open(os.devnull, os.O_RDONLY)
        return self._null

    async def _found(self, task: Task, folder: Path) -> Outcome:
        """Return what an earlier run came to, and clear away what it had no time to."""
        await self._long.stop(task.execution)
        outcome = await asyncio.to_thread(finished, folder)
        assert outcome is not None
        return outcome

    async def _run_short(self, task: Task, folder: Path) -> Outcome:
        null = await self._open()
        scratch = self._scratch.take()
        kept = False
        try:
            if task.inputs is not None:
                await uncancelled(asyncio.to_thread(scratch.lay_in, task.inputs))
            code, stdout, stderr = await self._run_child(task, scratch.cwd, null)
            kept = self._scratch.give_back(scratch)
            small = len(stdout) + len(stderr) <= MEMORY_RESULT_BYTES
            if small and (kept or _is_empty_folder(scratch.outputs)):
                return Outcome(code, stdout, stderr)
            outputs = None if kept else scratch.outputs
            keep = asyncio.to_thread(_keep, task, folder, code, stdout, stderr, outputs)
            return await uncancelled(keep)
        finally:
            if not kept:
                await uncancelled(self._scratch.discard(scratch))

    async def _run_child(self, task: Task, cwd: Path, null: int) -> tuple[int, bytes, bytes]:
        try:
            child = Child(
                task.command,
                env=process_environment(task),
                cwd=cwd,
                stdin=null,
                timeout_s=task.timeout_s,
                output_limit_bytes=self._output_limit_bytes,
            )
        except OSError as error:
            code, message = answer(task.command[0], error.errno)
            if code is None:
                raise ExecutorError("spawn", f"{message}: {error.strerror}") from error
            return code, b"", message.encode()
        self._running[task.execution] = child
        code = await child.wait()
        return code, bytes(child.output["stdout"]), bytes(child.output["stderr"])


def _keep(
    task: Task, folder: Path, code: int, stdout: bytes, stderr: bytes, outputs: Path | None
) -> Outcome:
    """Move a result that is too big for memory to `folder`."""
    if outputs is not None:
        check_outputs(outputs, task.limits.disk_bytes)
    return assemble(folder, code, stdout, stderr, outputs)


def _has_result(folder: Path) -> bool:
    return os.path.lexists(f"{folder}/{RESULT}")


def _is_empty_folder(path: Path) -> bool:
    try:
        return not os.path.islink(path) and not os.listdir(path)
    except OSError:
        return False
