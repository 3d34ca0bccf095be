"""The engines under the executor contract, each with what it can do, and a lifeline to watch by."""

import asyncio
import functools
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from node.executors.docker import DockerExecutor
from node.executors.noop import NoopExecutor
from node.executors.port import Executor, Limits, Task
from node.executors.process import ProcessExecutor

IMAGE = "lota-test/busybox:1"
NODE = f"contract-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
"""The engine is shared: each test process is a node of its own."""
OUTPUT_LIMIT_BYTES = 200_000
PATIENCE_S = 30

FIXED = {
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "LOTA_JOB": "job",
    "LOTA_SHARD": "2",
    "LOTA_SHARDS": "7",
    "OWN": "a b=c",
}
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Driver:
    """One engine; `make` gives a new object over the same state, as a restarted node would."""

    name: str
    make: Callable[[Path], Executor]
    environment: Mapping[str, str]
    image: str = ""
    runs_commands: bool = True
    adopts: bool = False


PROCESS_ENVIRONMENT = {
    **FIXED,
    "PATH": SAFE_PATH,
    "HOME": "tmp",
    "TMPDIR": "tmp",
    "LOTA_INPUTS": "inputs",
    "LOTA_OUTPUTS": "outputs",
}
CONTAINER_ENVIRONMENT = {
    **FIXED,
    "PATH": SAFE_PATH,
    "HOSTNAME": "lota",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LOTA_INPUTS": "/inputs",
    "LOTA_OUTPUTS": "/outputs",
}


def process(root: Path, adopt_from_s: float) -> ProcessExecutor:
    """Return the process engine with a small output limit."""
    return ProcessExecutor(
        root / "process", adopt_from_s=adopt_from_s, output_limit_bytes=OUTPUT_LIMIT_BYTES
    )


DRIVERS = {
    driver.name: driver
    for driver in (
        Driver("noop", lambda _: NoopExecutor(), {}, runs_commands=False),
        Driver("process-short", lambda root: process(root, 1e9), PROCESS_ENVIRONMENT),
        Driver("process-long", lambda root: process(root, 0), PROCESS_ENVIRONMENT, adopts=True),
        Driver(
            "docker",
            lambda _: DockerExecutor(NODE, output_limit_bytes=OUTPUT_LIMIT_BYTES),
            CONTAINER_ENVIRONMENT,
            image=IMAGE,
            adopts=True,
        ),
    )
}


def task(driver: Driver, execution: str, *command: str, **fields: object) -> Task:
    """Return a task of this engine; `fields` are those of Task."""
    given = {"limits": Limits(), "timeout_s": 100.0, **fields}
    return Task(execution, "job", image=driver.image, command=command, **given)  # type: ignore[arg-type]


@functools.cache
def engine_problem() -> str:
    """Return why no container can run here, or nothing."""
    try:
        found = subprocess.run(
            ["docker", "image", "inspect", IMAGE],
            check=False,
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no container engine: {error}"
    return f"no container engine or image: {found.stderr.strip()}" if found.returncode else ""


class Lifeline:
    """A pipe with a name among the inputs, which the processes of a command hold open.

    What they write proves that they run; its end proves that every one of them is dead.
    """

    def __init__(self, inputs: Path) -> None:
        self.inputs = inputs
        self._path = inputs / "alive"
        self._go = inputs / "go"
        os.mkfifo(self._path)
        os.mkfifo(self._go)
        self._path.chmod(0o666)
        self._reader: int | None = None

    async def line(self) -> bytes:
        """Wait for the next line that a process of the command writes."""
        return await asyncio.wait_for(asyncio.to_thread(self._line), PATIENCE_S)

    async def rest(self) -> bytes:
        """Wait until every process that holds the pipe has ended; return what came before."""
        return await asyncio.wait_for(asyncio.to_thread(self._rest), PATIENCE_S)

    async def go(self) -> None:
        """Let the command go on that reads from `go`."""
        await asyncio.wait_for(asyncio.to_thread(self._go.write_bytes, b"go\n"), PATIENCE_S)

    def close(self) -> None:
        """Release threads that still wait for a process that never came."""
        for path in (self._path, self._go):
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        if self._reader is not None:
            os.close(self._reader)

    def _line(self) -> bytes:
        if self._reader is None:
            self._reader = os.open(self._path, os.O_RDONLY)
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._reader, 1)
            if not byte:
                break
            line += byte
        return line

    def _rest(self) -> bytes:
        assert self._reader is not None, "wait for the first line before"
        rest = b""
        while chunk := os.read(self._reader, 65536):
            rest += chunk
        return rest
