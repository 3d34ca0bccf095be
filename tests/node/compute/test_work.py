"""Executions of a node: while its disk is slow, and when what they leave is no result."""

import asyncio
from pathlib import Path

import pytest

from events.errors import ExecutorError
from events.memory import MemoryBlobs
from events.spec import JobSpec
from node.compute.desk import Desk, DeskJob, take
from node.compute.memory import NodeMemory
from node.compute.runs import Runs
from node.compute.tasks import Task as Awarded
from node.compute.work import Work
from node.executors.noop import NoopExecutor
from node.executors.port import Executor, Outcome, Task
from node.executors.process import ProcessExecutor
from node.orders import Orders, RunOrder
from publishers.port import SmallResult


class Gated(NoopExecutor):
    """An engine whose executions begin in order and end when they are told to."""

    name = "process"

    def __init__(self) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.ends: dict[str, asyncio.Event] = {}

    async def run(self, task: Task, folder: Path) -> Outcome:
        end = self.ends[task.execution] = asyncio.Event()
        self.begun.put_nowait(task.execution)
        await end.wait()
        return Outcome(0)


@pytest.fixture
def engine() -> Gated:
    return Gated()


@pytest.fixture
def work(engine: Gated, tmp_path: Path) -> Work:
    engines: dict[str, Executor] = {"process": engine, "noop": NoopExecutor()}
    folders = {"results": tmp_path / "results", "inputs": tmp_path / "inputs"}
    return Work(Runs(engines, {}, MemoryBlobs(), **folders), cpu=1)


def award(desk: Desk, work: Work, name: str, spec: JobSpec, shards: int) -> DeskJob:
    run = tuple(RunOrder(shard, 0, ()) for shard in range(shards))
    orders = Orders(job=name, fence=1, decision="d", spec=spec, run=run, complete=True)
    job = take(desk, orders)
    assert job is not None
    work.awarded(job, orders)
    return job


async def test_a_core_does_not_wait_for_the_disk(engine: Gated, work: Work) -> None:
    """When an execution ends, the next in line starts before anything is written."""
    desk = Desk(node="c1")
    award(desk, work, "j", JobSpec(engine="process", command=("true",), verifier="none"), 2)
    work.start(desk)
    first = await engine.begun.get()
    engine.ends[first].set()
    second = await engine.begun.get()
    assert (first, second) == ("j-0-0", "j-1-0")
    await work.close(leave_running=False)


async def test_nothing_starts_behind_a_clean_stop(engine: Gated, work: Work) -> None:
    """What is cancelled because the node stops makes no room for others."""
    desk = Desk(node="c1")
    award(desk, work, "j", JobSpec(engine="process", command=("true",), verifier="none"), 2)
    work.start(desk)
    await engine.begun.get()
    await work.close(leave_running=True)
    assert engine.begun.empty()
    assert work.waiting


async def test_who_stood_in_line_is_told_of(engine: Gated, work: Work, tmp_path: Path) -> None:
    """A job that ran behind another's execution is decided about, though nothing touched it."""
    memory = await NodeMemory.open(tmp_path / "memory.sqlite")
    desk = Desk(node="c1")
    award(desk, work, "j", JobSpec(engine="process", command=("true",), verifier="none"), 2)
    behind = award(desk, work, "n", JobSpec(engine="noop", verifier="none"), 1)
    work.start(desk)
    engine.ends[await engine.begun.get()].set()
    await engine.begun.get()
    assert behind in await work.settle(memory, [])
    assert behind.tasks[0, 0].state == "finished"
    await work.close(leave_running=False)
    await memory.close()


async def test_a_small_result_leaves_no_folder(tmp_path: Path) -> None:
    """What a command that can be adopted came to lies in a folder until the database has it."""
    engine = ProcessExecutor(tmp_path / "processes")
    folders = {"results": tmp_path / "results", "inputs": tmp_path / "inputs"}
    runs = Runs({"process": engine}, {}, MemoryBlobs(), **folders)
    memory = await NodeMemory.open(tmp_path / "memory.sqlite")
    work, desk = Work(runs, cpu=1), Desk(node="c1")
    touched = asyncio.Event()
    work.touch = lambda _: touched.set()
    award(desk, work, "j", JobSpec(engine="process", command=("echo", "hi"), verifier="none"), 1)
    work.start(desk)
    await touched.wait()
    kept_until_then = runs.folder("j-0-0").exists()
    await work.settle(memory, [])
    result = await memory.result("j-0-0")
    await work.close(leave_running=False)
    await memory.close()

    assert kept_until_then
    assert result == SmallResult(b"hi\n", b"", 0)
    assert not runs.folder("j-0-0").exists()


class Linking(NoopExecutor):
    """An engine whose commands leave a link among their outputs."""

    name = "process"

    async def run(self, task: Task, folder: Path) -> Outcome:
        (folder / "result" / "outputs").mkdir(parents=True)
        (folder / "result" / "outputs" / "link").symlink_to("/etc")
        return Outcome(0, folder=folder / "result")


async def test_what_is_no_result_is_told_of_and_removed(tmp_path: Path) -> None:
    """A failure names the path as the user knows it, and leaves nothing on the node's disk."""
    folders = {"results": tmp_path / "results", "inputs": tmp_path / "inputs"}
    runs = Runs({"process": Linking()}, {}, MemoryBlobs(), **folders)
    job = DeskJob(id="j", spec=JobSpec(engine="process", command=("true",), verifier="none"))
    with pytest.raises(ExecutorError) as failed:
        await runs.run(job, Awarded(shard=0, attempt=0))

    assert failed.value.code == "result"
    assert str(failed.value).startswith("outputs/link is a symlink (")
    assert not runs.folder("j-0-0").exists()
