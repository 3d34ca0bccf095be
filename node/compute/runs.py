"""Runs executions: stage the inputs, let the engine run, and turn the outcome into a claim."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from events.blobs import Blobs
from events.commitment import execution_id
from events.errors import ContentError, ExecutorError, InvalidInput, LotaError, NotFound
from events.inputs.listing import load_files
from events.items import Claim, ListedFile
from events.spec import JobSpec
from events.units import size_bytes
from node.compute.desk import DeskJob, Task
from node.compute.patience import answered
from node.compute.skeletons import claimed
from node.executors.noop import NoopExecutor
from node.executors.port import Executor, Limits, Outcome
from node.executors.port import Task as EngineTask
from node.executors.removal import remove_tree
from node.executors.result import RESULT
from node.inputs.port import Source
from node.inputs.staging import stage_shard
from publishers.port import Result, SmallResult
from publishers.unixfs import result_cid

LISTINGS_KEPT_MAX = 16


class Finished(msgspec.Struct, frozen=True):
    """What an execution came to: the claim, and the result it is about.

    `spare` is a folder that the engine may keep it in besides, until it is durable elsewhere.
    """

    claim: Claim
    result: Result
    spare: Path | None = None


class Runs:
    """The engines of this node, and the folders they work in.

    `results` holds what is too large for the database, `inputs` what is staged for a run.
    """

    def __init__(
        self,
        engines: Mapping[str, Executor],
        sources: Mapping[str, Source],
        blobs: Blobs,
        *,
        results: Path,
        inputs: Path,
    ) -> None:
        self.engines = engines
        self._sources = sources
        self._blobs = blobs
        self._results = results
        self._inputs = inputs
        self._listings: dict[str, asyncio.Task[list[tuple[ListedFile, ...]]]] = {}

    def folder(self, execution: str) -> Path:
        """Return the folder that an execution's result is made in, as `<folder>/result`."""
        return self._results / execution

    def run_now(self, job: DeskJob, task: Task) -> Finished | None:
        """Return at once what needs no waiting: noop without inputs."""
        spec = job.spec
        engine = self.engines.get("noop")
        if spec is None or spec.engine != "noop" or not isinstance(engine, NoopExecutor):
            return None
        return _small(engine.run_now(_engine_task(job, spec, task, None)))

    async def run(self, job: DeskJob, task: Task) -> Finished:
        """Run one execution to its end; a repeat adopts it or starts it anew.

        Raises ExecutorError when infrastructure fails it; nothing of it is left then.
        """
        spec = job.spec
        if spec is None or spec.engine not in self.engines:
            raise ExecutorError("unavailable", "this node does not run that engine")
        folder = self.folder(execution_id(job.id, task.shard, task.attempt))
        try:
            return await self._run(job, spec, task, folder)
        except ExecutorError:
            # The node's memory has no row for it, by which it would be removed one day.
            await asyncio.to_thread(remove_tree, folder)
            raise

    async def _run(self, job: DeskJob, spec: JobSpec, task: Task, folder: Path) -> Finished:
        staged = self._inputs / folder.name
        try:
            inputs = await self._stage(job, spec, task, staged) if spec.inputs else None
            engine_task = _engine_task(job, spec, task, inputs)
            outcome = await self.engines[spec.engine].run(engine_task, folder)
            if outcome.folder is None:
                return _small(outcome, folder)
            root = await asyncio.to_thread(claimed, outcome.folder)
            claim = Claim(root.cid, root.dag_size_bytes, outcome.exit_code)
            return Finished(claim, outcome.folder)
        except ContentError as error:
            # How a node's own folders are called says nothing to the user, and is long.
            what = str(error).replace(f"{folder / RESULT}/", "")
            raise ExecutorError("result", what) from error
        except OSError as error:
            raise ExecutorError("io", f"{error.strerror}: {error.filename}") from error
        finally:
            if spec.inputs:
                await asyncio.to_thread(remove_tree, staged)

    async def _stage(self, job: DeskJob, spec: JobSpec, task: Task, folder: Path) -> Path:
        try:
            files = await self._files(job)
        except (InvalidInput, NotFound, ContentError) as error:
            raise ExecutorError("input_missing", str(error)) from error
        return await stage_shard(spec, files, task.shard, folder, self._sources)

    async def _files(self, job: DeskJob) -> list[tuple[ListedFile, ...]]:
        """Load a job's listings once for all its executions here."""
        loading = self._listings.get(job.id)
        if loading is None or (loading.done() and loading.exception() is not None):
            while len(self._listings) >= LISTINGS_KEPT_MAX:
                del self._listings[next(iter(self._listings))]
            loading = self._listings[job.id] = asyncio.ensure_future(self._load(job))
        return await asyncio.shield(loading)

    async def _load(self, job: DeskJob) -> list[tuple[ListedFile, ...]]:
        files: list[tuple[ListedFile, ...]] = []
        for listing in job.inputs:
            if listing is None:
                raise InvalidInput("an input of this job was never listed")
            files.append(await answered(partial(load_files, listing, self._blobs)))
        return files

    async def stop(self, engine: str, execution: str) -> None:
        """Kill and clear away an execution that runs from an earlier life of this node."""
        if engine in self.engines:
            await self.engines[engine].stop(execution)

    def detach(self) -> None:
        """Begin a clean stop: what can be adopted goes on running."""
        for engine in self.engines.values():
            engine.detach()

    async def close(self) -> None:
        """Let go of the engines."""
        for engine in self.engines.values():
            try:
                await engine.close()
            except LotaError:
                continue


def _small(outcome: Outcome, spare: Path | None = None) -> Finished:
    root = result_cid(outcome.stdout, outcome.stderr, outcome.exit_code)
    claim = Claim(root.cid, root.dag_size_bytes, outcome.exit_code)
    result = SmallResult(outcome.stdout, outcome.stderr, outcome.exit_code)
    return Finished(claim, result, spare)


def _engine_task(job: DeskJob, spec: JobSpec, task: Task, inputs: Path | None) -> EngineTask:
    return EngineTask(
        execution=execution_id(job.id, task.shard, task.attempt),
        job=job.id,
        shard=task.shard,
        shards=job.shards,
        engine=spec.engine,
        image=spec.image,
        command=spec.command,
        env=spec.env,
        inputs=inputs,
        limits=Limits(
            cpu=spec.resources.cpu,
            memory_bytes=size_bytes(spec.resources.memory),
            disk_bytes=size_bytes(spec.resources.disk),
        ),
        timeout_s=spec.timeout_ms / 1000,
    )
