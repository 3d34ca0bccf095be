"""The engine for containers: the docker SDK, whose calls block, in threads of its own.

Cancelling a task does not stop a thread, so a run ends by killing its container: that ends the
stream which its thread reads. The result is written to the execution's folder before the container
is removed, so a crash at any moment leaves one of the two to go on from.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from events.errors import ExecutorError
from node.executors.cancellation import uncancelled
from node.executors.container import Containers, Live, NotStarted
from node.executors.environment import OUTPUTS
from node.executors.failures import busy, not_running, timed_out, too_much_output
from node.executors.port import OUTPUT_BYTES_MAX, Outcome, Stream, Task
from node.executors.result import assemble, check_outputs, finished

_T = TypeVar("_T")


class DockerExecutor:
    """Runs containers labelled with `node`; `width` is how many the caller runs at one time.

    stdout and stderr of one container are at most `output_limit_bytes` together.
    """

    name = "docker"

    def __init__(
        self, node: str, *, width: int = 2, output_limit_bytes: int = OUTPUT_BYTES_MAX
    ) -> None:
        self._containers = Containers(node, connections=4 * width + 4)
        # Apart, so that a kill never waits behind the very runs that it is to end.
        self._runs = ThreadPoolExecutor(width + 1, thread_name_prefix="docker-run")
        self._calls = ThreadPoolExecutor(width + 1, thread_name_prefix="docker-call")
        self._output_limit_bytes = output_limit_bytes
        self._running: dict[str, Live] = {}
        self._detached = False

    async def check(self) -> None:
        """Raise ExecutorError `unavailable` when the engine does not answer."""
        await self._call(self._containers.check)

    async def run(self, task: Task, folder: Path) -> Outcome:
        """Run the container to its end; see `Executor.run`."""
        if task.execution in self._running:
            raise busy(task.execution)
        live = self._running[task.execution] = Live(self._output_limit_bytes)
        try:
            outcome = await self._call(lambda: finished(folder))
            if outcome is None:
                outcome = await self._run(task, folder, live)
            await self.stop(task.execution)
            return outcome
        except asyncio.CancelledError:
            if not self._detached:
                with contextlib.suppress(ExecutorError):
                    await uncancelled(self.stop(task.execution))
            raise
        finally:
            live.end()
            del self._running[task.execution]

    async def stop(self, execution: str) -> None:
        """Kill and remove the execution's container; an absent one is fine."""
        await self._call(lambda: self._containers.remove(execution))

    async def list_running(self) -> list[str]:
        """Return the executions that have a container of this node, running or ended."""
        return await self._call(self._containers.executions)

    async def read_output(self, execution: str, stream: Stream, offset: int, limit: int) -> bytes:
        """See `Executor.read_output`."""
        live = self._running.get(execution)
        if live is None:
            raise not_running(execution)
        return bytes(live.output[stream][offset : offset + limit])

    def detach(self) -> None:
        """Leave containers running when their `run` is cancelled from now on."""
        self._detached = True

    async def close(self) -> None:
        """End the threads and close the connections to the engine."""
        self._runs.shutdown(wait=False)
        self._calls.shutdown(wait=False)
        self._containers.close()

    async def _run(self, task: Task, folder: Path, live: Live) -> Outcome:
        try:
            code = await self._to_end(task, folder, live)
            return await uncancelled(self._call(lambda: _collect(task, folder, code, live)))
        except ExecutorError:
            with contextlib.suppress(ExecutorError):
                await self.stop(task.execution)
            raise

    async def _to_end(self, task: Task, folder: Path, live: Live) -> int:
        try:
            ran_s = await self._interruptible(
                task, live, lambda: self._containers.start(task, folder, live), None
            )
            return await self._interruptible(
                task,
                live,
                lambda: self._containers.follow(task.execution, live),
                max(0.0, task.timeout_s - ran_s),
            )
        except NotStarted as error:
            live.take("stderr", error.message.encode())
            return error.exit_code

    async def _interruptible(
        self, task: Task, live: Live, work: Callable[[], _T], timeout_s: float | None
    ) -> _T:
        """Return what `work` returns in its thread; a kill ends it when time or interest does."""
        future = asyncio.get_running_loop().run_in_executor(self._runs, work)
        try:
            done, _ = await asyncio.wait({future}, timeout=timeout_s)
        except asyncio.CancelledError:
            await uncancelled(self._interrupt(task, live, future))
            raise
        if not done:
            await uncancelled(self._interrupt(task, live, future))
            raise timed_out(task.timeout_s)
        if live.overflowed:
            raise too_much_output(self._output_limit_bytes) from future.exception()
        return future.result()

    async def _interrupt(self, task: Task, live: Live, future: "asyncio.Future[_T]") -> None:
        if self._detached:
            live.abandon()
            await asyncio.wait({future})
            return
        live.killed = True
        with contextlib.suppress(ExecutorError):
            await self._call(lambda: self._containers.kill(task.execution))
        await asyncio.wait({future})

    async def _call(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._calls, work)


def _collect(task: Task, folder: Path, code: int, live: Live) -> Outcome:
    outputs = folder / OUTPUTS
    check_outputs(outputs, task.limits.disk_bytes)
    stdout, stderr = (bytes(live.output[name]) for name in ("stdout", "stderr"))
    return assemble(folder, code, stdout, stderr, outputs)
