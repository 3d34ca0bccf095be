"""One short command as a child process, with as few system calls as it takes.

Output goes through pipes, not files: a pipe has no name, so `> /dev/stderr` appends as everywhere,
it bounds memory by itself, and it costs nothing on the disk. Most commands end within
milliseconds and write less than a pipe holds, so nobody listens to the pipes at first: they are
emptied when the process ends, and watched only once a command has run for `WATCH_AFTER_S`.

The kill goes to the process group while its leader is a zombie that nobody has reaped: until then
the number cannot belong to anyone else.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from events.errors import ExecutorError
from node.executors.failures import timed_out, too_much_output
from node.executors.port import Stream

WATCH_AFTER_S = 0.01
KILL_AFTER_S = 1.0
"""From SIGTERM to SIGKILL."""

_CHUNK_BYTES = 64 * 1024
_STREAMS: tuple[Stream, Stream] = ("stdout", "stderr")


class Child:
    """A running command. Raises FileNotFoundError or another OSError where exec does.

    `output_limit_bytes` counts stdout and stderr together.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: dict[str, str],
        cwd: Path,
        stdin: int,
        timeout_s: float,
        output_limit_bytes: int,
    ) -> None:
        self.output: dict[Stream, bytearray] = {name: bytearray() for name in _STREAMS}
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._output_limit = output_limit_bytes
        self._error: ExecutorError | None = None
        self._exited = False
        self._ending = False
        self._watching = False
        self._pipes: dict[Stream, int] = {}
        self._process = self._spawn(command, env, cwd, stdin)
        self._handle = os.pidfd_open(self._process.pid)
        self._waiter = self._loop.create_future()
        self._loop.add_reader(self._handle, self._exit)
        self._timer = self._loop.call_later(min(WATCH_AFTER_S, timeout_s), self._watch)

    async def wait(self) -> int:
        """Return the exit code once the process has ended; cancelling kills the group first.

        Raises ExecutorError `timeout` or `output_limit` after the group was killed for it.
        """
        cancelled: asyncio.CancelledError | None = None
        while not self._exited:
            try:
                await self._waiter
            except asyncio.CancelledError as error:
                cancelled = error
                self._waiter = self._loop.create_future()
                self._terminate()
        self._finish()
        if cancelled is not None:
            raise cancelled
        if self._error is not None:
            raise self._error
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    def drain(self) -> None:
        """Take what the pipes hold right now."""
        for name in _STREAMS:
            if name in self._pipes:
                self._read(name, self._pipes[name])

    def _spawn(
        self, command: Sequence[str], env: dict[str, str], cwd: Path, stdin: int
    ) -> "subprocess.Popen[bytes]":
        write_ends: list[int] = []
        try:
            for name in _STREAMS:
                self._pipes[name], end = os.pipe()
                write_ends.append(end)
                os.set_blocking(self._pipes[name], False)
            return subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=stdin,
                stdout=write_ends[0],
                stderr=write_ends[1],
                start_new_session=True,
                umask=0o022,
            )
        except BaseException:
            self._close_pipes()
            raise
        finally:
            for end in write_ends:
                os.close(end)

    def _watch(self) -> None:
        """Begin to empty the pipes as they fill, and to count the time."""
        self._watching = True
        for name, pipe in list(self._pipes.items()):
            self._loop.add_reader(pipe, self._read, name, pipe)
        left_s = max(0.0, self._timeout_s - WATCH_AFTER_S)
        self._timer = self._loop.call_later(left_s, self._time_out)

    def _read(self, name: Stream, pipe: int) -> None:
        try:
            chunk = os.read(pipe, _CHUNK_BYTES)
            while chunk:
                self.output[name] += chunk
                if sum(map(len, self.output.values())) > self._output_limit:
                    self._overflow()
                    return
                if len(chunk) < _CHUNK_BYTES and not self._exited:
                    return
                chunk = os.read(pipe, _CHUNK_BYTES)
        except BlockingIOError:
            return
        self._close_pipe(name)

    def _overflow(self) -> None:
        self._error = self._error or too_much_output(self._output_limit)
        self._close_pipes()
        self._signal(signal.SIGKILL)

    def _time_out(self) -> None:
        self._error = self._error or timed_out(self._timeout_s)
        self._terminate()

    def _terminate(self) -> None:
        if self._ending:
            return
        self._ending = True
        self._timer.cancel()
        self._timer = self._loop.call_later(KILL_AFTER_S, self._signal, signal.SIGKILL)
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _exit(self) -> None:
        self._exited = True
        self._loop.remove_reader(self._handle)
        if not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self) -> None:
        self._timer.cancel()
        self._signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._handle)
        self.drain()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for name in list(self._pipes):
            self._close_pipe(name)

    def _close_pipe(self, name: Stream) -> None:
        pipe = self._pipes.pop(name)
        if self._watching:
            self._loop.remove_reader(pipe)
        os.close(pipe)
