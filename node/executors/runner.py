"""The small parent of one long command; it outlives the node, so that the next node can adopt.

A script of its own: `python -I -S runner.py STATE`, with the plan as JSON on stdin and only the
standard library behind it. It holds a lock on `STATE/lock` while it lives. A second runner of the
same state waits for that lock and ends with it: starting one *is* adopting, and no process number
has to be trusted to wait for a result.

What the command writes goes through pipes into `STATE/stdout` and `STATE/stderr`, where a reader
can follow it. The end is `STATE/ended.json`, renamed into place: {"exit_code"} or {"code", "what"}.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

KILL_AFTER_S = 1.0
CHUNK_BYTES = 64 * 1024
NO_ROOM = 75
"""The status of a runner that could not write what it has to: its disk is full."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Hold the lock, run the plan, record how it ended."""
    os.chdir(sys.argv[1])
    plan = json.load(sys.stdin)
    lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return
    if os.path.exists("ended.json"):
        return
    # Whoever wants to stop this run reads here whom to signal; the start time tells a reused
    # number from this process.
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()} {start_ticks(os.getpid())}".encode(), 0)
    prepare(plan)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ended = Run(plan).to_end()
    if ended is None:
        sys.exit("stopped by a signal")
    with open("ended.json.part", "w", encoding="utf-8") as file:
        json.dump(ended, file)
    os.rename("ended.json.part", "ended.json")


def start_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; its identity beside the number."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def prepare(plan: dict[str, Any]) -> None:
    """Make the working directory; who starts a runner has cleared away what was there before."""
    for name in ("work", "work/outputs", "work/tmp"):
        os.mkdir(name, 0o700)
    if plan["inputs"]:
        # Hard links: a folder of its own, whatever becomes of the one where it was staged.
        shutil.copytree(plan["inputs"], "work/inputs", copy_function=os.link)
    else:
        os.mkdir("work/inputs", 0o700)


class Run:
    """The command, its two pipes and its deadline, in one selector loop."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._selector = selectors.DefaultSelector()
        self._written = 0
        self._ended: dict[str, Any] | None = None
        self._kill_at: float | None = None
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._wake, wake_writer = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)

    def to_end(self) -> dict[str, Any] | None:
        """Run the command; return what is to be recorded, None when a signal stopped the run."""
        with open("stdout", "wb", buffering=0) as out, open("stderr", "wb", buffering=0) as err:
            try:
                self._spawn({"stdout": out, "stderr": err})
            except OSError as error:
                return self._not_started(error, err)
            self._selector.register(self._wake, selectors.EVENT_READ)
            self._pump()
            self._kill_descendants()
            self._drain()
        assert self._process is not None
        code = self._process.returncode
        if self._stopped:
            return None
        return self._ended or {"exit_code": code if code >= 0 else 128 - code}

    def _spawn(self, files: dict[str, Any]) -> None:
        libc = ctypes.CDLL(None)
        memory = self._plan["memory_bytes"]

        def in_child() -> None:
            # If the runner is killed, the command must not run on unwatched.
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if memory:
                resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

        process = subprocess.Popen(
            self._plan["command"],
            env=self._plan["env"],
            cwd="work",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            umask=0o022,
            preexec_fn=in_child,  # noqa: PLW1509 - this process has one thread
        )
        self._process = process
        for pipe, name in ((process.stdout, "stdout"), (process.stderr, "stderr")):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe.fileno(), selectors.EVENT_READ, files[name])

    def _not_started(self, error: OSError, stderr: Any) -> dict[str, Any]:
        code, message = self._plan["exec_errors"].get(
            str(error.errno), self._plan["exec_errors"]["other"]
        )
        if code is None:
            return {"code": "spawn", "what": f"{message}: {error.strerror}"}
        stderr.write(message.encode())
        return {"exit_code": code}

    def _pump(self) -> None:
        deadline = time.monotonic() + self._plan["timeout_s"]
        assert self._process is not None
        while self._process.poll() is None:
            now = time.monotonic()
            if self._kill_at is None and now >= deadline:
                self._ended = {"code": "timeout"}
                self._terminate()
            elif self._kill_at is not None and now >= self._kill_at:
                self._signal(signal.SIGKILL)
            until = self._kill_at if self._kill_at is not None else deadline
            for key, _ in self._selector.select(max(0.0, until - now)):
                self._take(key)

    def _take(self, key: selectors.SelectorKey) -> bool:
        """Move one chunk to its file; say whether there may be more."""
        try:
            chunk = os.read(key.fd, CHUNK_BYTES)
        except BlockingIOError:
            return False
        if key.fd == self._wake:
            return False
        if not chunk:
            self._selector.unregister(key.fd)
            return False
        self._written += len(chunk)
        if self._written > self._plan["output_limit_bytes"]:
            limit = self._plan["output_limit_bytes"]
            self._ended = self._ended or {"code": "output_limit", "limit_bytes": limit}
            self._signal(signal.SIGKILL)
        else:
            key.data.write(chunk)
        return True

    def _drain(self) -> None:
        for key in list(self._selector.get_map().values()):
            while self._take(key) and self._ended is None:
                pass

    def _stop(self, *_: object) -> None:
        self._stopped = True
        self._terminate()

    def _terminate(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + KILL_AFTER_S
            self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)

    def _kill_descendants(self) -> None:
        """Kill and reap until nothing is left: every orphan below comes to this process."""
        me = os.getpid()
        while True:
            for name in os.listdir("/proc"):
                if name.isdigit() and parent(name) == me:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(int(name), signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def parent(pid: str) -> int:
    """Return the parent of a process, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        sys.exit(NO_ROOM)
