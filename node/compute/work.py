"""The executions of a node: queued in order, run within capacity, durable when they end."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from events.clock import now_ms
from events.commitment import execution_id
from events.errors import ExecutorError, NotFound
from events.items import Claim
from node.compute.desk import (
    ANNOUNCED_MS,
    Desk,
    DeskJob,
    Key,
    Task,
    announce,
    failed,
    finished,
    running,
)
from node.compute.memory import NodeMemory
from node.compute.memory_rows import Batch, ExecutionRow, JobRow
from node.compute.runs import Finished, Runs
from node.executors.port import Stream
from node.executors.removal import remove_tree
from node.orders import Orders
from node.rpc import Chunk
from publishers.port import Result, SmallResult

WARM_BYTES_MAX = 16 * 1024 * 1024
ROW_BYTES = 200

log = logging.getLogger(__name__)


class InHand(NamedTuple):
    """How many executions wait for a core, and how many run."""

    waiting: int
    running: int


class Work:
    """Runs what is queued, first come first served, while cores are free.

    `touch` is called with a job's id whenever something of it has changed.
    """

    def __init__(self, runs: Runs, *, cpu: float) -> None:
        self.touch: Callable[[str], None] = lambda _: None
        self._runs = runs
        self._cpu = cpu
        self._busy_cpu = 0.0
        self._queue: deque[tuple[str, Key]] = deque()
        self._queued: set[tuple[str, Key]] = set()
        self._running: dict[tuple[str, Key], asyncio.Task[None]] = {}
        self._ended: list[tuple[DeskJob, Task, Finished]] = []
        self._claims: dict[str, Claim] = {}
        self._warm: dict[str, Result] = {}
        self._warm_bytes = 0
        self._closing = False

    @property
    def in_hand(self) -> InHand:
        """What this node was given and has not ended."""
        return InHand(len(self._queue), len(self._running))

    @property
    def taken(self) -> int:
        """How many executions wait or run."""
        return sum(self.in_hand)

    @property
    def waiting(self) -> bool:
        """Whether executions wait for a core."""
        return bool(self._queue)

    def recall(self, claims: Mapping[str, Claim]) -> None:
        """Take over what an earlier life of this node has finished."""
        self._claims.update(claims)

    def awarded(self, job: DeskJob, orders: Orders) -> None:
        """Queue what was awarded; what has been finished already is not run again."""
        for key in self._named(orders):
            task = job.tasks.get(key)
            if task is None:
                continue
            claim = self._claims.pop(execution_id(job.id, *key), None)
            if claim is not None and task.state == "queued":
                finished(job, task, claim)
            elif claim is not None and task.claim is None:
                task.claim = claim
            elif task.state == "queued" and (job.id, key) not in self._queued:
                self._queued.add((job.id, key))
                self._queue.append((job.id, key))

    def _named(self, orders: Orders) -> Iterable[Key]:
        for run in orders.run:
            yield run.shard, run.attempt
        for reveal in orders.reveal:
            yield reveal.shard, reveal.attempt
        for publication in orders.publish:
            yield publication.shard, publication.attempt

    def start(self, desk: Desk) -> None:
        """Start what there is room for, and go on so whenever an execution ends."""
        while self._queue and not self._closing:
            name, key = self._queue[0]
            job = desk.jobs.get(name)
            task = job.tasks.get(key) if job is not None else None
            if job is None or task is None or task.state != "queued" or job.spec is None:
                self._drop_first()
                if task is not None and task.state == "queued" and job is not None:
                    job.doubt = True
                continue
            at_once = self._runs.run_now(job, task)
            if at_once is not None:
                self._drop_first()
                running(task)
                self._ended.append((job, task, at_once))
                continue
            cost = job.spec.resources.cpu
            if self._running and self._busy_cpu + cost > self._cpu:
                return
            self._drop_first()
            self._begin(desk, job, task, cost)

    def _drop_first(self) -> None:
        self._queued.discard(self._queue.popleft())

    def _begin(self, desk: Desk, job: DeskJob, task: Task, cost: float) -> None:
        running(task)
        self._busy_cpu += cost
        key = (task.shard, task.attempt)
        announcing = asyncio.get_running_loop().call_later(
            ANNOUNCED_MS / 1000, self._announce, job, task
        )
        runner = asyncio.ensure_future(self._run(job, task))
        self._running[job.id, key] = runner

        def ended(_: "asyncio.Task[None]") -> None:
            announcing.cancel()
            self._busy_cpu -= cost
            self._running.pop((job.id, key), None)
            self.touch(job.id)
            # Now, not in the next turn: that waits for the disk, and a core would wait with it.
            self.start(desk)

        runner.add_done_callback(ended)

    def _announce(self, job: DeskJob, task: Task) -> None:
        announce(job, task)
        self.touch(job.id)

    async def _run(self, job: DeskJob, task: Task) -> None:
        try:
            came = await self._runs.run(job, task)
            self._ended.append((job, task, came))
        except ExecutorError as error:
            failed(job, task, error.code, str(error))
        except Exception as error:
            log.exception("running %s failed", execution_id(job.id, task.shard, task.attempt))
            failed(job, task, "internal", f"{type(error).__name__}: {error}")

    async def settle(self, memory: NodeMemory, met: list[DeskJob]) -> list[DeskJob]:
        """Make durable which jobs were met and what has ended; only then does the desk know it.

        Returns the jobs of what has ended.
        """
        ended, self._ended = self._ended, []
        if not ended and not met:
            return []
        stamp = now_ms()
        rows: list[ExecutionRow] = []
        for job, task, came in ended:
            name = execution_id(job.id, task.shard, task.attempt)
            rows.append(ExecutionRow.of(name, job.id, came.claim, came.result, stamp))
            self._keep_warm(name, came.result)
        await memory.save(Batch(jobs=[JobRow(job.id, stamp) for job in met], executions=rows))
        for job, task, came in ended:
            finished(job, task, came.claim)
        if spare := [came.spare for _, _, came in ended if came.spare is not None]:
            await asyncio.to_thread(_remove, spare)
        return [job for job, _, _ in ended]

    def _keep_warm(self, name: str, result: Result) -> None:
        """Keep small results at hand while they may be published; the database has them too."""
        if not isinstance(result, SmallResult):
            return
        size = len(result.stdout) + len(result.stderr) + ROW_BYTES
        while self._warm and self._warm_bytes + size > WARM_BYTES_MAX:
            self._cool(next(iter(self._warm)))
        self._warm[name] = result
        self._warm_bytes += size

    def _cool(self, name: str) -> None:
        result = self._warm.pop(name, None)
        if isinstance(result, SmallResult):
            self._warm_bytes -= len(result.stdout) + len(result.stderr) + ROW_BYTES

    async def result(self, name: str, memory: NodeMemory) -> Result | None:
        """Return the result of an execution, None when this node no longer has it."""
        known = self._warm.get(name)
        if known is not None:
            return known
        stored = await memory.result(name)
        if stored is None or isinstance(stored, SmallResult):
            return stored
        folder = self._runs.folder(name) / "result"
        return folder if folder.is_dir() else None

    async def read_running(self, execution: str, path: str, offset: int, limit: int) -> Chunk:
        """Return what a command that still runs has written. Raises NotFound when none does."""
        if path in ("stdout", "stderr"):
            stream: Stream = "stdout" if path == "stdout" else "stderr"
            for engine in self._runs.engines.values():
                try:
                    data = await engine.read_output(execution, stream, offset, limit)
                except NotFound:
                    continue
                return Chunk(data, offset + len(data), ended=False)
        raise NotFound(f"{execution} does not run here and has no result")

    async def stop(self, job: DeskJob, task: Task) -> None:
        """End an execution, whether this life of the node or an earlier one has started it."""
        runner = self._running.get((job.id, (task.shard, task.attempt)))
        if runner is not None:
            runner.cancel()
            await asyncio.wait((runner,))
        elif job.spec is not None:
            name = execution_id(job.id, task.shard, task.attempt)
            await self._runs.stop(job.spec.engine, name)

    def forget(self, job: DeskJob) -> None:
        """Let go of what was kept at hand for a job."""
        for key in job.tasks:
            self._cool(execution_id(job.id, *key))

    async def clear_orphans(self, held: set[str]) -> None:
        """Stop what runs from an earlier life and is no longer this node's to run."""
        for name, engine in self._runs.engines.items():
            for execution in await engine.list_running():
                if execution not in held:
                    log.info("stopping %s on engine %s: it is no longer awarded", execution, name)
                    await engine.stop(execution)

    async def close(self, *, leave_running: bool) -> None:
        """Start nothing more, cancel what runs, wait for its end, and let go of the engines.

        With `leave_running`, what the node can take up in its next life is left alone.
        """
        self._closing = True
        if leave_running:
            self._runs.detach()
        for runner in self._running.values():
            runner.cancel()
        if self._running:
            await asyncio.wait(list(self._running.values()))
        await self._runs.close()


def _remove(folders: Sequence[Path]) -> None:
    for folder in folders:
        remove_tree(folder)
