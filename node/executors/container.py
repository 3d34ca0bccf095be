"""The docker engine's side of one execution, in blocking calls: for a thread.

A container is named after its execution, so a second start finds the first. What a fresh one
writes is read by attaching before the start, which is exact. Only a container that is adopted is
read from the engine's log: the `local` log keeps every byte where `json-file` spoils what is no
UTF-8, but it drops the newline behind a line of exactly 16 KiB.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.types import LogConfig, Mount
from docker.utils import kwargs_from_env, parse_repository_tag
from requests.exceptions import ReadTimeout, RequestException

from events.errors import ExecutorError
from node.executors.environment import INPUTS, OUTPUTS, container_environment
from node.executors.port import NOT_EXECUTABLE_EXIT, NOT_FOUND_EXIT, Stream, Task
from node.executors.removal import remove_tree

PIDS_MAX = 1024
_CALL_TIMEOUT_S = 60
_LOOK_EVERY_S = 5
_HOST_NAME = "lota"
_NO_SUCH_CONTAINER = 404
_NAME_IN_USE = _NOT_RUNNING = 409


class Live:
    """What one running container has written so far, shared between threads."""

    def __init__(self, limit_bytes: int) -> None:
        self.output: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.overflowed = False
        self.killed = False
        self.abandoned = False
        self.limit_bytes = limit_bytes
        self.stream: Any = None
        self._lock = threading.Lock()

    def take(self, name: Stream, chunk: bytes) -> bool:
        """Keep a chunk; False when the limit of both streams together is passed."""
        with self._lock:
            self.output[name] += chunk
            self.overflowed |= sum(map(len, self.output.values())) > self.limit_bytes
        return not self.overflowed

    def follow(self, stream: Any) -> None:
        """Take over a stream of (stdout, stderr) chunks, which `abandon` ends."""
        self.stream = stream
        if self.abandoned:
            self.abandon()

    def abandon(self) -> None:
        """End the reading, from another thread; the container runs on."""
        self.abandoned = True
        if self.stream is not None:
            # The reading thread still holds the socket: wake it through another name for it.
            with contextlib.suppress(OSError, ValueError):
                number = os.dup(self.stream._response.raw.fileno())  # noqa: SLF001
                with socket.socket(fileno=number) as twin:
                    twin.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Close the connection of a stream that nobody reads any more; safe to repeat."""
        if self.stream is not None:
            # The SDK's own close only shuts the socket down and leaves it to the collector.
            self.stream._response.close()  # noqa: SLF001


class NotStarted(Exception):
    """The command cannot be executed: a result, with the exit code that a shell gives it."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message


class Containers:
    """The containers of one node. Every method raises ExecutorError `unavailable`."""

    def __init__(self, node: str, connections: int) -> None:
        self._node = node
        self._connections = connections
        self._lock = threading.Lock()
        self._connected: Any = None

    def check(self) -> None:
        """Ask the engine for a sign of life."""
        with _translated():
            self._api.ping()

    def start(self, task: Task, folder: Path, live: Live) -> float:
        """Start the container, or find it; return for how many seconds it has run already.

        Raises ExecutorError `image`, `conflict` or `spawn`, and NotStarted.
        """
        with _translated():
            try:
                self._create(task, folder, live.limit_bytes)
            except APIError as error:
                if error.status_code == _NAME_IN_USE:
                    return self._adopt(task, folder, live)
                raise ExecutorError(
                    "spawn", f"the container cannot be made: {_reason(error)}", hint="see the spec"
                ) from error
            self._attach_and_start(task, folder, live)
            return 0.0

    def follow(self, execution: str, live: Live) -> int:
        """Read the container's output to its end; return its exit code, -1 when abandoned."""
        with _translated():
            if live.stream is not None:
                self._read(execution, live, live.stream)
            else:
                self._read_log(execution, live)
            return self._wait(execution, live)

    def kill(self, execution: str) -> None:
        """Kill the container; one that does not run is fine."""
        with _translated(), _ignored(_NO_SUCH_CONTAINER, _NOT_RUNNING):
            self._api.kill(name_of(execution))

    def remove(self, execution: str) -> None:
        """Kill and remove the container if it is this node's; an absent one is fine."""
        with _translated(), _ignored(_NO_SUCH_CONTAINER, _NOT_RUNNING):
            name = name_of(execution)
            if self._labels(name).get("lota.node") == self._node:
                self._api.remove_container(name, force=True, v=True)

    def executions(self) -> list[str]:
        """Return the executions that have a container of this node, running or ended."""
        with _translated():
            found = self._api.containers(all=True, filters={"label": f"lota.node={self._node}"})
            return sorted(entry["Labels"]["lota.execution"] for entry in found)

    def close(self) -> None:
        """Close the connections."""
        if self._connected is not None:
            self._connected.close()

    @property
    def _api(self) -> Any:
        with self._lock:
            if self._connected is None:
                self._connected = docker.APIClient(
                    **kwargs_from_env(),
                    version="auto",
                    timeout=_CALL_TIMEOUT_S,
                    max_pool_size=self._connections,
                )
            return self._connected

    def _create(self, task: Task, folder: Path, limit_bytes: int) -> None:
        # The engine wants a mount's source to be there, and looks it up again at the start.
        (folder / OUTPUTS).mkdir(parents=True, exist_ok=True)
        options = self._options(task, folder, limit_bytes)
        try:
            self._api.create_container(**options)
        except ImageNotFound:
            self._pull(task.image)
            self._api.create_container(**options)

    def _pull(self, image: str) -> None:
        name, tag = parse_repository_tag(image)
        try:
            self._api.pull(name, tag=tag or "latest")
        except (APIError, RequestException) as error:
            raise ExecutorError(
                "image",
                f"image {image} is not here and cannot be pulled: {_reason(error)}",
                hint="check its name, or load it on this node with docker pull or docker load",
            ) from error

    def _options(self, task: Task, folder: Path, limit_bytes: int) -> dict[str, Any]:
        mounts = [Mount(f"/{OUTPUTS}", str(folder.absolute() / OUTPUTS), type="bind")]
        if task.inputs is not None:
            source = str(task.inputs.absolute())
            mounts.append(Mount(f"/{INPUTS}", source, type="bind", read_only=True))
        limits = task.limits
        host = self._api.create_host_config(
            mounts=mounts,
            network_mode=task.network,
            mem_limit=limits.memory_bytes or None,
            memswap_limit=limits.memory_bytes or None,
            nano_cpus=round(limits.cpu * 1e9),
            pids_limit=PIDS_MAX,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            log_config=_log_config(limit_bytes),
        )
        return {
            "image": task.image,
            "command": list(task.command) or None,
            "name": name_of(task.execution),
            "hostname": _HOST_NAME,
            "user": _user(),
            "environment": container_environment(task),
            "labels": {
                "lota.execution": task.execution,
                "lota.job": task.job,
                "lota.node": self._node,
            },
            "host_config": host,
        }

    def _adopt(self, task: Task, folder: Path, live: Live) -> float:
        name = name_of(task.execution)
        if self._labels(name).get("lota.node") != self._node:
            raise ExecutorError(
                "conflict",
                f"container {name} belongs to another node",
                hint="remove it, or let that node finish",
            )
        state = self._api.inspect_container(name)["State"]
        if state["Status"] == "created":
            self._attach_and_start(task, folder, live)
            return 0.0
        return time.time() - _timestamp(state["StartedAt"])

    def _labels(self, name: str) -> dict[str, str]:
        labels: dict[str, str] = self._api.inspect_container(name)["Config"]["Labels"] or {}
        return labels

    def _attach_and_start(self, task: Task, folder: Path, live: Live) -> None:
        _make_outputs(folder / OUTPUTS)
        name = name_of(task.execution)
        live.follow(self._api.attach(name, stdout=True, stderr=True, stream=True, demux=True))
        try:
            self._api.start(name)
        except APIError as error:
            live.end()
            raise _not_started(task, _reason(error)) from error
        if live.killed:
            self.kill(task.execution)

    def _read_log(self, execution: str, live: Live) -> None:
        # One stream behind the other: the log is bounded, so the second cannot grow for ever.
        name = name_of(execution)
        out = self._api.logs(name, stream=True, follow=True, stdout=True, stderr=False)
        live.follow(out)
        self._read(execution, live, ((chunk, None) for chunk in out))
        err = self._api.logs(name, stream=True, follow=True, stdout=False, stderr=True)
        live.follow(err)
        self._read(execution, live, ((None, chunk) for chunk in err))

    def _read(self, execution: str, live: Live, chunks: Iterable[Any]) -> None:
        try:
            for out, err in chunks:
                fits = live.take("stdout", out or b"") and live.take("stderr", err or b"")
                if not fits:
                    break
        finally:
            live.end()
        # Not before the stream is closed: the engine ends no container whose output waits to be
        # read by somebody.
        if live.overflowed:
            self.kill(execution)

    def _wait(self, execution: str, live: Live) -> int:
        # Output has ended, so the end is near; but a command may close its streams and go on, and
        # a thread that waits for ever could not be ended.
        while not live.abandoned:
            with contextlib.suppress(ReadTimeout):
                ended = self._api.wait(name_of(execution), timeout=_LOOK_EVERY_S)
                return int(ended["StatusCode"])
        return -1


def name_of(execution: str) -> str:
    """Return the container's name."""
    return f"lota-{execution}"


def _make_outputs(outputs: Path) -> None:
    """Make an empty folder that the image's user may write to; its parent is closed to others."""
    remove_tree(outputs)
    outputs.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    outputs.mkdir()
    outputs.chmod(0o777)


def _user() -> str | None:
    """Return whom the container runs as, so that its files can be read and removed here.

    Root can do that whoever the image's user is; any other user of this machine cannot.
    """
    return f"{os.getuid()}:{os.getgid()}" if os.getuid() else None


def _log_config(limit_bytes: int) -> LogConfig:
    """Bound the engine's log, above what would be killed for its size anyway."""
    config = {"max-size": str(4 * limit_bytes), "max-file": "2", "compress": "false"}
    return LogConfig(type="local", config=config)


def _not_started(task: Task, reason: str) -> Exception:
    """Tell the user's mistake from the engine's, as the docker command line does."""
    command = task.command[0] if task.command else task.image
    if "exec: " in reason:
        if "not found" in reason or "no such file" in reason:
            return NotStarted(NOT_FOUND_EXIT, f"lota: {command}: command not found\n")
        if "permission denied" in reason or "is a directory" in reason:
            return NotStarted(NOT_EXECUTABLE_EXIT, f"lota: {command}: permission denied\n")
    return ExecutorError("spawn", f"the container did not start: {reason}", hint="see docker info")


def _timestamp(text: str) -> float:
    """Return seconds since the epoch of the engine's RFC 3339 time, to the second."""
    return datetime.fromisoformat(text[:19] + "+00:00").timestamp()


def _reason(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)


@contextlib.contextmanager
def _ignored(*statuses: int) -> Iterator[None]:
    try:
        yield
    except APIError as error:
        if error.status_code not in statuses:
            raise


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DockerException, RequestException) as error:
        raise ExecutorError(
            "unavailable",
            f"the docker engine: {_reason(error)}",
            hint="start dockerd, and let the node's user reach its socket (group docker)",
        ) from error
