"""Long commands: run by a small parent of their own, so that a restarted node takes them over.

All of a run stands in `root/<execution>` until it is collected: the lock of its runner, the
working directory, stdout and stderr to follow, and at last how it ended. The time limit is the
runner's and counts from the first start, whoever watches.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from events.errors import ExecutorError
from node.executors.cancellation import uncancelled
from node.executors.environment import OUTPUTS, process_environment
from node.executors.exec_errors import answers
from node.executors.failures import not_running, timed_out, too_much_output
from node.executors.orphans import kill_inside
from node.executors.port import Limits, Outcome, Stream, Task
from node.executors.removal import remove_tree
from node.executors.result import RESULT, assemble, check_outputs
from node.executors.runner import NO_ROOM, start_ticks

_RUNNER = Path(__file__).with_name("runner.py")
_KILL_AFTER_S = 3.0
"""From SIGTERM to SIGKILL for a runner, which itself gives its command one second."""

_LOOK_EVERY_S = 0.01


class AdoptableRuns:
    """The long commands of one node; `root` is its own, on the file system of the results."""

    def __init__(self, root: Path, output_limit_bytes: int) -> None:
        self._root = root
        self._output_limit_bytes = output_limit_bytes
        self.detached = False

    async def run(self, task: Task, folder: Path) -> Outcome:
        """Start the task, or take over the one of the same execution; see `Executor.run`."""
        state = self._root / task.execution
        try:
            await self._to_end(task, state)
        except asyncio.CancelledError:
            if not self.detached:
                await uncancelled(self.stop(task.execution))
            raise
        except ExecutorError:
            await uncancelled(self.stop(task.execution))  # it may be what fills the disk
            raise
        return await uncancelled(asyncio.to_thread(_collect, task, state, folder))

    async def stop(self, execution: str) -> None:
        """Kill the run and remove all it left; an absent one is fine."""
        state = self._root / execution
        if state.exists():
            await asyncio.to_thread(_stop, state)

    def list_running(self) -> list[str]:
        """Return the executions that run, or ended and were not collected."""
        try:
            return sorted(os.listdir(self._root))
        except FileNotFoundError:
            return []

    async def read_output(self, execution: str, stream: Stream, offset: int, limit: int) -> bytes:
        """See `Executor.read_output`."""
        return await asyncio.to_thread(_read, self._root / execution / stream, offset, limit)

    async def _to_end(self, task: Task, state: Path) -> None:
        while not (state / "ended.json").exists():
            await uncancelled(asyncio.to_thread(_clear_for_start, state))
            status = await self._watch(task, state)
            if status and not (state / "ended.json").exists():
                raise await asyncio.to_thread(_without_end, state, status)

    async def _watch(self, task: Task, state: Path) -> int:
        """Return the status of a runner of this state; cancelling ends that one unless detached.

        Status 0: look how the run ended, or whether the one waited for was killed.
        """
        pid = _start_runner(state, self._plan(task))
        handle = os.pidfd_open(pid)
        try:
            await _readable(handle)
            return _reap(pid)
        except asyncio.CancelledError:
            if not self.detached:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
                try:
                    await uncancelled(_readable(handle))
                finally:
                    _reap(pid)
            raise
        finally:
            os.close(handle)

    def _plan(self, task: Task) -> bytes:
        plan = {
            "command": task.command,
            "env": process_environment(task),
            "inputs": str(task.inputs.absolute()) if task.inputs else "",
            "timeout_s": task.timeout_s,
            "memory_bytes": _address_space_bytes(task.limits),
            "output_limit_bytes": self._output_limit_bytes,
            "exec_errors": answers(task.command[0]),
        }
        return json.dumps(plan).encode()


def _address_space_bytes(limits: Limits) -> int:
    """Return the memory limit as far as this process may grant it, 0 for none."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if not limits.memory_bytes or hard == resource.RLIM_INFINITY:
        return limits.memory_bytes
    return min(limits.memory_bytes, hard)


def _start_runner(state: Path, plan: bytes) -> int:
    stdin = os.memfd_create("plan", os.MFD_CLOEXEC)
    try:
        os.write(stdin, plan)
        os.lseek(stdin, 0, os.SEEK_SET)
        log = str(state / "runner.log")
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", str(_RUNNER), str(state)],
            {"LANG": "C.UTF-8"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, stdin, 0),
                (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            ],
            setsid=True,
            setsigdef=[signal.SIGPIPE],
        )
    except OSError as error:
        raise ExecutorError(
            "spawn", f"no process could be started: {error.strerror}", hint="see the node's limits"
        ) from error
    finally:
        os.close(stdin)


def _clear_for_start(state: Path) -> None:
    """Clear away what a runner that was itself killed left: what it wrote must not be found."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (state / "work").exists() and (lock := _acquire(state)) is not None:
        kill_inside(state / "work")
        remove_tree(state / "work")
        os.close(lock)


def _collect(task: Task, state: Path, folder: Path) -> Outcome:
    """Move the result out of the state, which ends with it."""
    ended = json.loads((state / "ended.json").read_bytes())
    outputs = state / "work" / OUTPUTS
    try:
        if "code" in ended:
            raise _failure(task, ended)
        if not (folder / f"{RESULT}.part" / OUTPUTS).exists():
            check_outputs(outputs, task.limits.disk_bytes)
    except ExecutorError:
        remove_tree(state)
        raise
    outcome = assemble(folder, ended["exit_code"], state / "stdout", state / "stderr", outputs)
    remove_tree(state)
    return outcome


def _failure(task: Task, ended: dict[str, Any]) -> ExecutorError:
    match ended["code"]:
        case "timeout":
            return timed_out(task.timeout_s)
        case "output_limit":
            return too_much_output(ended["limit_bytes"])
        case code:
            return ExecutorError(code, ended["what"], hint="see the node's limits")


def _without_end(state: Path, status: int) -> ExecutorError:
    """Return why the runner is gone and no end is written down: its status, or its last line."""
    if os.waitstatus_to_exitcode(status) == NO_ROOM:
        return ExecutorError(
            "io", "the disk of the node is full", hint="make room, or write less to outputs/"
        )
    with contextlib.suppress(OSError, IndexError):
        line = (state / "runner.log").read_text("utf-8", "replace").splitlines()[-1]
        return ExecutorError("lost", f"the parent of the command ended without a result: {line}")
    return ExecutorError("lost", "the parent of the command was killed")


def _stop(state: Path) -> None:
    """End the runner that holds the state, whichever process started it; remove the state."""
    kill_at = time.monotonic() + _KILL_AFTER_S
    while (lock := _acquire(state)) is None:
        late = time.monotonic() >= kill_at
        _signal_holder(state, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(_LOOK_EVERY_S)
    try:
        kill_inside(state / "work")
        remove_tree(state)
    finally:
        os.close(lock)


def _acquire(state: Path) -> int | None:
    """Return the lock's descriptor when no runner holds it."""
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _signal_holder(state: Path, number: signal.Signals) -> None:
    # The lock's text may be older than its holder, and the number may be another's by now: the
    # start time is compared behind a handle that cannot change its meaning.
    with contextlib.suppress(OSError, ValueError):
        pid, started = map(int, (state / "lock").read_bytes().split())
        handle = os.pidfd_open(pid)
        try:
            if start_ticks(pid) == started:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _read(path: Path, offset: int, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return os.pread(file.fileno(), limit, offset)
    except FileNotFoundError:
        raise not_running(path.parent.name) from None


def _reap(pid: int) -> int:
    """Return the status of a child whose handle is readable: it has ended, nothing blocks."""
    return os.waitpid(pid, 0)[1]


async def _readable(handle: int) -> None:
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    loop.add_reader(handle, wake)
    try:
        await waiter
    finally:
        loop.remove_reader(handle)
