"""What every executor owes the node, on every engine there is."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from events.errors import ExecutorError, NotFound
from node.executors.port import Executor, Limits, Outcome, Task
from node.executors.removal import remove_tree
from tests.contracts.executor_drivers import (
    DRIVERS,
    OUTPUT_LIMIT_BYTES,
    PATIENCE_S,
    Driver,
    Lifeline,
    engine_problem,
    task,
)

ROOT = Path(__file__).resolve().parents[2]
HOLD = "exec 9>$LOTA_INPUTS/alive; echo started >&9; "
"""Opens the lifeline for the shell and all its children."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test the engines that declare what it asks for."""
    able = [
        found
        for found in DRIVERS.values()
        if (found.runs_commands or "commands" not in metafunc.fixturenames)
        and (found.adopts or "adopts" not in metafunc.fixturenames)
    ]
    if "driver" in metafunc.fixturenames:
        cases = [
            pytest.param(each, id=each.name, marks=[pytest.mark.docker] if each.image else [])
            for each in able
        ]
        metafunc.parametrize("driver", cases, indirect=True)


@pytest.fixture
def driver(request: pytest.FixtureRequest) -> Driver:
    """Each engine in turn; docker only where an engine answers, or must."""
    found: Driver = request.param
    if found.image and (problem := engine_problem()):
        if os.environ.get("LOTA_REQUIRE_DOCKER") == "1":
            pytest.fail(problem)
        pytest.skip(problem)
    return found


@pytest.fixture
def commands(driver: Driver) -> Driver:
    """Each engine that runs commands."""
    return driver


@pytest.fixture
def adopts(driver: Driver) -> Driver:
    """Each engine whose executions outlive the node."""
    return driver


@pytest.fixture
async def executor(driver: Driver, tmp_path: Path) -> AsyncIterator[Executor]:
    """A new executor, whose executions are stopped in the end."""
    made = driver.make(tmp_path)
    yield made
    for execution in await made.list_running():
        await made.stop(execution)
    await made.close()


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    """A staged inputs folder with a lifeline in it."""
    (tmp_path / "staged").mkdir(mode=0o755)
    made = Lifeline(tmp_path / "staged")
    yield made
    made.close()


@pytest.fixture
def execution(request: pytest.FixtureRequest) -> str:
    """An execution id of this test's own: containers are shared by the whole machine."""
    name = request.node.name.replace("[", "-").replace("]", "")
    return f"{name[-28:].strip('_-')}-2-{os.getpid()}"


async def shell(
    executor: Executor, driver: Driver, folder: Path, execution: str, script: str, **fields: object
) -> Outcome:
    """Run a shell script as the task."""
    made = task(driver, execution, "sh", "-c", script, **fields)
    return await executor.run(made, folder / "execution")


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return every path below `folder`, with the bytes of files."""
    paths = sorted(folder.rglob("*"))
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in paths
    }


async def test_an_engine_that_is_there_passes_its_check(executor: Executor) -> None:
    """`check` raises nothing where the engine can run."""
    await executor.check()


async def test_a_task_ends_with_exit_code_0(
    executor: Executor, driver: Driver, tmp_path: Path, execution: str
) -> None:
    """The simplest task of every engine succeeds with empty output, in memory."""
    outcome = await executor.run(task(driver, execution, "true"), tmp_path / "execution")
    assert outcome == Outcome(0)


async def test_the_exit_code_is_the_commands(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """A command that fails is an outcome, not an error."""
    assert (await shell(executor, commands, tmp_path, execution, "exit 3")).exit_code == 3


async def test_a_death_by_signal_is_128_and_its_number(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """A command that was killed by a signal ends as a shell would say it."""
    # The first process of a container takes no signal from itself, so a child dies of it.
    outcome = await shell(executor, commands, tmp_path, execution, "sh -c 'kill -9 $$'; exit $?")
    assert outcome.exit_code == 137


async def test_stdout_and_stderr_are_kept_apart_and_exact(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """No byte is added, changed or mixed, and a stream opened again by name is appended to."""
    script = "printf out; printf err >&2; printf more >/dev/stderr; printf '\\nx'"
    outcome = await shell(executor, commands, tmp_path, execution, script)
    assert outcome == Outcome(0, b"out\nx", b"errmore")


async def test_binary_output_is_exact(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """Bytes that are no text come through."""
    blob = bytes(range(256)) * 40 + b"\n" + b"\0" * 16384 + b"\n\n"
    (lifeline.inputs / "blob").write_bytes(blob)
    made = task(commands, execution, "sh", "-c", "cat $LOTA_INPUTS/blob", inputs=lifeline.inputs)
    assert (await executor.run(made, tmp_path / "execution")).stdout == blob


async def test_arguments_arrive_as_they_are(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """No shell, no code page and no splitting stands between the spec and the command."""
    words = ("naïve 日本", "$HOME `x` * \\", "", "two\nlines")
    made = task(commands, execution, "printf", "[%s]", *words)
    outcome = await executor.run(made, tmp_path / "execution")
    assert outcome.stdout.decode() == "".join(f"[{word}]" for word in words)


async def test_the_environment_is_the_allow_list(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """A command sees exactly what the design says, and nothing of the node's own."""
    os.environ["CANARY_OF_THE_NODE"] = "sings"
    try:
        made = task(commands, execution, "env", env={"OWN": "a b=c"}, shard=2, shards=7)
        outcome = await executor.run(made, tmp_path / "execution")
    finally:
        del os.environ["CANARY_OF_THE_NODE"]
    seen = dict(line.split("=", 1) for line in outcome.stdout.decode().splitlines())
    assert seen == commands.environment


async def test_stdin_is_empty(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """A command that reads its input finds the end at once."""
    assert await shell(executor, commands, tmp_path, execution, "cat") == Outcome(0)


async def test_inputs_are_read_and_outputs_are_the_result(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """The result tree holds what was written to outputs and nothing of HOME or TMPDIR."""
    (lifeline.inputs / "deep").mkdir()
    (lifeline.inputs / "deep" / "in").write_text("data")
    script = (
        "echo x >$HOME/h; echo x >$TMPDIR/t; mkdir $LOTA_OUTPUTS/d; "
        "cat $LOTA_INPUTS/deep/in >$LOTA_OUTPUTS/d/f; echo said; exit 4"
    )
    outcome = await shell(executor, commands, tmp_path, execution, script, inputs=lifeline.inputs)
    assert outcome == Outcome(4, folder=tmp_path / "execution" / "result")
    assert tree(tmp_path / "execution" / "result") == {
        "stdout": b"said\n",
        "stderr": b"",
        "exit_code": b"4",
        "outputs": None,
        "outputs/d": None,
        "outputs/d/f": b"data",
    }
    assert (lifeline.inputs / "deep" / "in").read_text() == "data"


async def test_output_above_64_kib_is_a_folder(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """A result that is too big for memory stands on the disk, complete."""
    script = "head -c 65536 /dev/zero; printf x >&2"
    outcome = await shell(executor, commands, tmp_path, execution, script)
    assert outcome == Outcome(0, folder=tmp_path / "execution" / "result")
    assert tree(tmp_path / "execution" / "result") == {
        "stdout": b"\0" * 65536,
        "stderr": b"x",
        "exit_code": b"0",
        "outputs": None,
    }


async def test_output_of_64_kib_stays_in_memory(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """The limit itself is still small."""
    outcome = await shell(executor, commands, tmp_path, execution, "head -c 65536 /dev/zero")
    assert outcome == Outcome(0, b"\0" * 65536)


async def test_a_file_that_took_its_own_rights_can_be_read_and_removed(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """Modes are no part of a result, and must not keep the node from it."""
    script = "cd $LOTA_OUTPUTS; mkdir d; echo x >d/f; chmod 000 d/f d"
    outcome = await shell(executor, commands, tmp_path, execution, script)
    assert outcome.folder is not None
    modes = [(outcome.folder / "outputs" / name).stat().st_mode & 0o700 for name in ("d", "d/f")]
    assert modes == [0o700, 0o600]


async def test_a_missing_command_is_127(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """What cannot be found is the user's result, worded alike by every node."""
    made = task(commands, execution, "no-such-command", "x")
    outcome = await executor.run(made, tmp_path / "execution")
    assert outcome == Outcome(127, b"", b"lota: no-such-command: command not found\n")


async def test_a_file_that_is_no_command_is_126(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """What cannot be executed is the user's result, worded alike by every node."""
    outcome = await executor.run(task(commands, execution, "/etc/passwd"), tmp_path / "execution")
    assert outcome == Outcome(126, b"", b"lota: /etc/passwd: permission denied\n")


async def test_the_time_limit_kills_the_whole_tree(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """A command that runs too long is an error, and neither it nor a grandchild is left."""
    script = HOLD + "(sleep 300; true) & trap '' TERM; while :; do sleep 300; done"
    running = asyncio.create_task(
        shell(
            executor, commands, tmp_path, execution, script, timeout_s=0.4, inputs=lifeline.inputs
        )
    )
    assert await lifeline.line() == b"started\n"
    with pytest.raises(ExecutorError) as caught:
        await running
    assert caught.value.code == "timeout"
    await lifeline.rest()
    assert execution not in await executor.list_running()


async def test_cancelling_kills_the_whole_tree(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """A cancelled run leaves no process, no grandchild and nothing to adopt."""
    script = HOLD + "(sleep 300; true) & sleep 300"
    running = asyncio.create_task(
        shell(executor, commands, tmp_path, execution, script, inputs=lifeline.inputs)
    )
    assert await lifeline.line() == b"started\n"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await lifeline.rest()
    assert execution not in await executor.list_running()


async def test_what_outlives_its_parent_is_killed_at_the_end(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """A command that leaves a child behind ends when it ends, and the child with it."""
    script = HOLD + "sleep 300 & printf done"
    running = asyncio.create_task(
        shell(executor, commands, tmp_path, execution, script, inputs=lifeline.inputs)
    )
    assert await lifeline.line() == b"started\n"
    assert await running == Outcome(0, b"done")
    await lifeline.rest()


async def test_too_much_output_is_an_error(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """The two streams are counted together, and the command is killed at the limit."""
    half = OUTPUT_LIMIT_BYTES // 2
    script = f"head -c {half} /dev/zero; head -c {half + 1} /dev/zero >&2; sleep 300"
    with pytest.raises(ExecutorError) as caught:
        await shell(executor, commands, tmp_path, execution, script)
    assert caught.value.code == "output_limit"
    assert execution not in await executor.list_running()


async def test_outputs_above_the_disk_limit_are_an_error(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """What was written to outputs is held to the spec's disk."""
    script = "head -c 5001 /dev/zero >$LOTA_OUTPUTS/f"
    with pytest.raises(ExecutorError) as caught:
        await shell(executor, commands, tmp_path, execution, script, limits=Limits(disk_bytes=5000))
    assert caught.value.code == "disk_limit"


async def test_outputs_that_nest_too_deep_are_an_error(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """Folders too deep for a result are told of, and nothing of them stays to be stopped."""
    script = "cd $LOTA_OUTPUTS; i=0; while [ $i -lt 2000 ]; do mkdir d; cd d; i=$((i+1)); done"
    with pytest.raises(ExecutorError) as caught:
        await shell(executor, commands, tmp_path, execution, script)
    remove_tree(tmp_path / "execution")  # what removes `tmp_path` could not
    assert (caught.value.code, caught.value.hint) == ("result", "nest them less")
    assert execution not in await executor.list_running()


async def test_a_repeat_returns_the_same(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str
) -> None:
    """A second run of a finished execution comes to the same outcome."""
    script = "echo said; echo f >$LOTA_OUTPUTS/f; exit 5"
    first = await shell(executor, commands, tmp_path, execution, script)
    before = tree(tmp_path / "execution" / "result")
    assert await shell(executor, commands, tmp_path, execution, script) == first
    assert tree(tmp_path / "execution" / "result") == before


async def test_a_repeat_after_a_restart_runs_nothing_again(
    executor: Executor, adopts: Driver, tmp_path: Path, execution: str
) -> None:
    """Where no crash may cost a long run, a small result is kept as well."""
    script = "cat /proc/sys/kernel/random/uuid"
    first = await shell(executor, adopts, tmp_path, execution, script)
    again = adopts.make(tmp_path)
    assert await shell(again, adopts, tmp_path, execution, script) == first
    await again.close()


async def test_what_runs_can_be_read(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """The output so far can be asked for while the command runs, from any offset."""
    script = "echo one; echo two; " + HOLD + "read x <$LOTA_INPUTS/go"
    running = asyncio.create_task(
        shell(executor, commands, tmp_path, execution, script, inputs=lifeline.inputs)
    )
    await lifeline.line()

    async def read_all() -> None:
        # The command has written; the engine may still be about to pass it on.
        while await executor.read_output(execution, "stdout", 0, 100) != b"one\ntwo\n":
            await asyncio.to_thread(os.sched_yield)

    await asyncio.wait_for(read_all(), PATIENCE_S)
    assert await executor.read_output(execution, "stdout", 2, 3) == b"e\nt"
    assert await executor.list_running() == [execution]
    await lifeline.go()
    assert (await running).stdout == b"one\ntwo\n"


async def test_what_does_not_run_cannot_be_read(executor: Executor, execution: str) -> None:
    """A question about an execution that is not here is answered so."""
    with pytest.raises(NotFound):
        await executor.read_output(execution, "stdout", 0, 10)


async def test_a_second_run_beside_the_first_is_refused(
    executor: Executor, commands: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """One object runs one execution once at a time."""
    running = asyncio.create_task(
        shell(executor, commands, tmp_path, execution, HOLD + "sleep 300", inputs=lifeline.inputs)
    )
    await lifeline.line()
    with pytest.raises(ExecutorError) as caught:
        await shell(executor, commands, tmp_path, execution, "true")
    assert caught.value.code == "busy"
    running.cancel()
    await asyncio.wait({running})


WAITING = HOLD + "read x <$LOTA_INPUTS/go; echo $x >&9; echo done"


async def test_a_detached_run_is_adopted(
    executor: Executor, adopts: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """After a clean stop the next object finds what runs and brings it to its end, once."""
    first = adopts.make(tmp_path)
    running = asyncio.create_task(
        shell(first, adopts, tmp_path, execution, WAITING, inputs=lifeline.inputs)
    )
    assert await lifeline.line() == b"started\n"
    first.detach()
    running.cancel()
    await asyncio.wait({running})
    await first.close()
    assert execution in await executor.list_running()
    again = asyncio.create_task(
        shell(executor, adopts, tmp_path, execution, WAITING, inputs=lifeline.inputs)
    )
    await lifeline.go()
    assert await again == Outcome(0, b"done\n")
    assert await lifeline.rest() == b"go\n"
    assert execution not in await executor.list_running()


def start_a_node(adopts: Driver, tmp_path: Path, made: Task) -> "subprocess.Popen[bytes]":
    """Start a process that runs the task as a node would."""
    text = msgspec.json.encode(made, enc_hook=str).decode()
    module = "tests.contracts.run_executor"
    words = [adopts.name, str(tmp_path), text, str(tmp_path / "execution")]
    return subprocess.Popen([sys.executable, "-m", module, *words], cwd=ROOT)


async def test_a_run_of_a_killed_node_is_adopted(
    executor: Executor, adopts: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """A node that is killed outright loses nothing: the next one brings the run to its end."""
    made = task(adopts, execution, "sh", "-c", WAITING, inputs=lifeline.inputs)
    node = start_a_node(adopts, tmp_path, made)
    assert await lifeline.line() == b"started\n"
    node.send_signal(signal.SIGKILL)
    await asyncio.to_thread(node.wait)
    again = asyncio.create_task(executor.run(made, tmp_path / "execution"))
    await lifeline.go()
    assert await again == Outcome(0, b"done\n")
    assert await lifeline.rest() == b"go\n"


async def test_an_adopted_run_is_killed_when_cancelled(
    executor: Executor, adopts: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """Who adopts an execution can end it, though another process started it."""
    made = task(adopts, execution, "sh", "-c", WAITING, inputs=lifeline.inputs)
    node = start_a_node(adopts, tmp_path, made)
    assert await lifeline.line() == b"started\n"
    node.send_signal(signal.SIGKILL)
    await asyncio.to_thread(node.wait)
    again = asyncio.create_task(executor.run(made, tmp_path / "execution"))
    await asyncio.to_thread(os.sched_yield)
    again.cancel()
    await asyncio.wait({again})
    await lifeline.rest()
    assert execution not in await executor.list_running()


async def test_an_orphan_can_be_stopped(
    executor: Executor, adopts: Driver, tmp_path: Path, execution: str, lifeline: Lifeline
) -> None:
    """What an earlier process of the node left running is killed by its id alone."""
    made = task(adopts, execution, "sh", "-c", WAITING, inputs=lifeline.inputs)
    node = start_a_node(adopts, tmp_path, made)
    assert await lifeline.line() == b"started\n"
    node.send_signal(signal.SIGKILL)
    await asyncio.to_thread(node.wait)
    await executor.stop(execution)
    await lifeline.rest()
    assert execution not in await executor.list_running()


async def test_stopping_nothing_is_fine(executor: Executor, execution: str) -> None:
    """A repeated stop does no harm."""
    await executor.stop(execution)
