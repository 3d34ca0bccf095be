"""What only the process engine does: sweeping, reusing folders, and ending what hides."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.errors import ExecutorError
from node.executors.orphans import kill_inside
from node.executors.port import Limits, Outcome, Task
from node.executors.process import ProcessExecutor
from tests.contracts.executor_drivers import Lifeline


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    """A staged inputs folder with a lifeline in it."""
    (tmp_path / "staged").mkdir()
    made = Lifeline(tmp_path / "staged")
    yield made
    made.close()


def script(text: str, execution: str = "j-0-1", **fields: object) -> Task:
    """Return a task that runs a shell script."""
    command = ("sh", "-c", text)
    return Task(execution, "j", command=command, **{"timeout_s": 50.0, **fields})  # type: ignore[arg-type]


async def test_clean_folders_are_used_again_and_others_are_not(tmp_path: Path) -> None:
    """A run finds an empty folder, whatever the run before it left behind."""
    executor = ProcessExecutor(tmp_path / "p")
    look = "pwd; find . | sort"
    first = await executor.run(script(look), tmp_path / "a")
    assert await executor.run(script(look), tmp_path / "b") == first
    await executor.run(script("echo x >tmp/left; chmod 500 outputs"), tmp_path / "c")
    after = await executor.run(script(look), tmp_path / "d")
    await executor.close()
    assert after.stdout.splitlines()[0] != first.stdout.splitlines()[0]
    assert after.stdout.splitlines()[1:] == first.stdout.splitlines()[1:]


@pytest.mark.parametrize("adopt_from_s", [0.0, 1e9])
async def test_inputs_are_a_folder_of_the_commands_own(
    tmp_path: Path, lifeline: Lifeline, adopt_from_s: float
) -> None:
    """A command finds its inputs by walking, and may remove them without harm to what is staged."""
    (lifeline.inputs / "deep").mkdir()
    (lifeline.inputs / "deep" / "kept").write_text("x")
    executor = ProcessExecutor(tmp_path / "p", adopt_from_s=adopt_from_s)
    for text in ("find inputs -type f; rm -r inputs", "find inputs -type f; echo y >tmp/left"):
        outcome = await executor.run(script(text, inputs=lifeline.inputs), tmp_path / "a")
        assert outcome == Outcome(0, b"inputs/deep/kept\n")
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
    assert await executor.run(script("ls inputs"), tmp_path / "b") == Outcome(0)
    await executor.close()
    assert (lifeline.inputs / "deep" / "kept").read_text() == "x"


async def test_inputs_may_be_cleared_away_while_a_command_runs(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    """A node that stops or starts clears its staging, and what runs on does not notice."""
    (lifeline.inputs / "in").write_text("x")
    executor = ProcessExecutor(tmp_path / "p", adopt_from_s=0)
    text = "exec 9>inputs/alive; echo started >&9; read x <inputs/go; cat inputs/in"
    running = asyncio.create_task(
        executor.run(script(text, inputs=lifeline.inputs), tmp_path / "a")
    )
    assert await lifeline.line() == b"started\n"
    (lifeline.inputs / "in").unlink()
    await lifeline.go()
    assert await running == Outcome(0, b"x")
    await executor.close()


async def test_the_address_space_is_limited(tmp_path: Path) -> None:
    """A process and its children get no more memory than the spec says."""
    limits = Limits(memory_bytes=256 * 1024 * 1024)
    for adopt_from_s in (0.0, 1e9):
        executor = ProcessExecutor(tmp_path / "p", adopt_from_s=adopt_from_s)
        folder = tmp_path / str(adopt_from_s)
        outcome = await executor.run(script("read x; ulimit -v; ulimit -c", limits=limits), folder)
        await executor.close()
        assert outcome.stdout == b"262144\n0\n"


async def test_a_process_in_a_session_of_its_own_ends_with_a_long_command(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    """The parent of a long command takes in every orphan below it, and kills it."""
    executor = ProcessExecutor(tmp_path / "p", adopt_from_s=0)
    text = "exec 9>inputs/alive; echo started >&9; cd /; setsid sleep 300 & true"
    outcome, line = await asyncio.gather(
        executor.run(script(text, inputs=lifeline.inputs), tmp_path / "a"), lifeline.line()
    )
    await lifeline.rest()
    await executor.close()
    assert (outcome, line) == (Outcome(0), b"started\n")


async def test_what_a_killed_node_left_running_is_swept_away(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    """A short command whose node was killed does not run on beside its second try."""
    cwd = tmp_path / "p" / "short" / "1"
    cwd.mkdir(parents=True)
    left = subprocess.Popen(
        ["sh", "-c", f"exec 9>{lifeline.inputs}/alive; echo started >&9; sleep 300"],
        cwd=cwd,
        start_new_session=True,
    )
    assert await lifeline.line() == b"started\n"
    executor = ProcessExecutor(tmp_path / "p")
    await executor.check()
    await lifeline.rest()
    await executor.close()
    assert left.wait() == -signal.SIGKILL
    assert os.listdir(tmp_path / "p" / "short") == []


async def test_children_that_are_started_while_the_sweep_looks_around_are_swept_away(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    """What was listed may start others before it is killed, and no list has those yet."""
    text = (
        f"exec 9>{lifeline.inputs}/alive; "
        "for i in 1 2 3 4 5 6 7 8; do (for j in $(seq 200); do sleep 300 & done; wait) & done; "
        "echo started >&9; wait"
    )
    with subprocess.Popen(["sh", "-c", text], cwd=tmp_path, start_new_session=True) as parent:
        assert await lifeline.line() == b"started\n"
        await asyncio.to_thread(kill_inside, tmp_path)
        await lifeline.rest()
        assert parent.wait() == -signal.SIGKILL


async def test_nothing_outside_the_folder_is_killed(tmp_path: Path) -> None:
    """A folder whose name only begins alike is another folder."""
    for name in ("a", "ab"):
        (tmp_path / name).mkdir()
    with subprocess.Popen(["sleep", "300"], cwd=tmp_path / "ab") as bystander:
        kill_inside(tmp_path / "a")
        assert bystander.poll() is None
        bystander.kill()


async def test_a_killed_parent_of_a_long_command_is_an_error_and_can_be_repeated(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    """Losing the parent loses the run, kills the command, and the next try starts afresh."""
    executor = ProcessExecutor(tmp_path / "p", adopt_from_s=0)
    text = "exec 9>inputs/alive; echo started >&9; echo x >outputs/old; exec sleep 300"
    running = asyncio.create_task(
        executor.run(script(text, inputs=lifeline.inputs), tmp_path / "a")
    )
    await lifeline.line()
    parent = int((tmp_path / "p/long/j-0-1/lock").read_bytes().split()[0])
    os.kill(parent, signal.SIGKILL)
    with pytest.raises(ExecutorError) as caught:
        await running
    await lifeline.rest()
    assert caught.value.code == "lost"
    assert await executor.run(script("ls outputs"), tmp_path / "a") == Outcome(0)
    await executor.close()


async def test_a_full_disk_is_told_of_and_made_free_again(tmp_path: Path) -> None:
    """A command that fills the disk fails with just that, and what it wrote is removed at once."""
    state = tmp_path / "p/long/j-0-1"
    state.mkdir(parents=True)
    (state / "ended.json.part").symlink_to("/dev/full")
    executor = ProcessExecutor(tmp_path / "p", adopt_from_s=0)
    with pytest.raises(ExecutorError, match="the disk of the node is full") as caught:
        await executor.run(script("echo much >outputs/file"), tmp_path / "a")
    await executor.close()

    assert caught.value.code == "io"
    assert os.listdir(tmp_path / "p/long") == []


async def test_a_root_that_cannot_be_written_fails_the_check(tmp_path: Path) -> None:
    """The check says what is wrong and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ExecutorError, match="state folder") as caught:
        await ProcessExecutor(tmp_path / "file").check()
    assert caught.value.code == "unavailable"


async def test_a_command_may_write_forever_without_being_watched_in_vain(tmp_path: Path) -> None:
    """More than a pipe holds is taken while the command runs, up to the limit."""
    executor = ProcessExecutor(tmp_path / "p")
    size = 3_000_000
    words = (sys.executable, "-c", f"print('x' * {size}, end='')")
    outcome = await executor.run(Task("j-0-1", "j", command=words, timeout_s=50.0), tmp_path / "a")
    await executor.close()
    assert outcome.folder is not None
    assert (outcome.folder / "stdout").stat().st_size == size
