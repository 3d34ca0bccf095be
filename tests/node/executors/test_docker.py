"""What only the docker engine does: isolation, labels, images, and whose container it is."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.errors import ExecutorError
from node.executors.docker import DockerExecutor
from node.executors.port import Limits, Task
from tests.contracts.executor_drivers import IMAGE, engine_problem

pytestmark = pytest.mark.docker
EXECUTION = f"isolation-0-{os.getpid()}"


@pytest.fixture
async def executor() -> AsyncIterator[DockerExecutor]:
    """An executor on a real engine."""
    if problem := engine_problem():
        if os.environ.get("LOTA_REQUIRE_DOCKER") == "1":
            pytest.fail(problem)
        pytest.skip(problem)
    made = DockerExecutor(f"isolated-{os.getpid()}")
    yield made
    await made.stop(EXECUTION)
    await made.close()


def script(text: str, image: str = IMAGE, **fields: object) -> Task:
    """Return a task that runs a shell script in a container."""
    return Task(EXECUTION, "j", image=image, command=("sh", "-c", text), **fields)  # type: ignore[arg-type]


async def test_a_container_has_no_network_and_no_rights(
    executor: DockerExecutor, tmp_path: Path
) -> None:
    """It sees the loopback device alone, has no capability and may gain none."""
    text = "ls /sys/class/net; grep -E 'CapEff|NoNewPrivs' /proc/self/status"
    outcome = await executor.run(script(text), tmp_path / "a")
    assert outcome.stdout.split() == [b"lo", b"CapEff:", b"0" * 16, b"NoNewPrivs:", b"1"]


async def test_staged_inputs_cannot_be_written(executor: DockerExecutor, tmp_path: Path) -> None:
    """The node's own data is safe from a container."""
    (tmp_path / "staged").mkdir()
    task = script("echo x >/inputs/f", inputs=tmp_path / "staged")
    outcome = await executor.run(task, tmp_path / "a")
    assert outcome.exit_code == 1
    assert os.listdir(tmp_path / "staged") == []


async def test_memory_above_the_limit_kills_the_command(
    executor: DockerExecutor, tmp_path: Path
) -> None:
    """The engine's memory limit counts, and its kill is the command's exit code."""
    task = script(
        "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo survived",
        limits=Limits(memory_bytes=16 * 1024 * 1024),
    )
    outcome = await executor.run(task, tmp_path / "a")
    assert (outcome.exit_code, outcome.stdout) == (137, b"")


async def test_a_missing_image_says_what_to_do(executor: DockerExecutor, tmp_path: Path) -> None:
    """An image that is nowhere is an error of its own, with a hint."""
    with pytest.raises(ExecutorError, match="docker load") as caught:
        await executor.run(script("true", image="127.0.0.1:1/lota/none:1"), tmp_path / "a")
    assert caught.value.code == "image"


async def test_another_nodes_container_is_left_alone(
    executor: DockerExecutor, tmp_path: Path
) -> None:
    """A name that another node has taken is a conflict, and its container stays."""
    other = DockerExecutor(f"other-{os.getpid()}")
    other._containers._create(script("true"), tmp_path / "b", 1000)
    try:
        with pytest.raises(ExecutorError) as caught:
            await executor.run(script("true"), tmp_path / "a")
        assert caught.value.code == "conflict"
        assert await other.list_running() == [EXECUTION]
        assert await executor.list_running() == []
    finally:
        await other.stop(EXECUTION)
        await other.close()


async def test_a_container_that_was_made_and_not_started_is_started(
    executor: DockerExecutor, tmp_path: Path
) -> None:
    """A node that was killed between making and starting a container loses nothing."""
    executor._containers._create(script("echo ran"), tmp_path / "a", 1_000_000)
    outcome = await executor.run(script("echo ran"), tmp_path / "a")
    assert outcome.stdout == b"ran\n"
    assert await executor.list_running() == []


async def test_an_engine_that_does_not_answer_says_what_to_do(tmp_path: Path) -> None:
    """The check names the engine and the remedy."""
    before = dict(os.environ)
    # One that hangs up, as the SDK leaves the socket of a refused connection to the collector.
    server = await asyncio.start_unix_server(lambda _, writer: writer.close(), tmp_path / "s")
    os.environ["DOCKER_HOST"] = f"unix://{tmp_path}/s"
    try:
        alone = DockerExecutor("alone")
        with pytest.raises(ExecutorError, match="start dockerd") as caught:
            await alone.check()
        await alone.close()
    finally:
        os.environ.pop("DOCKER_HOST")
        os.environ.update(before)
        server.close()
        await server.wait_closed()
    assert caught.value.code == "unavailable"
