"""The embedded nats-server: a child process that lives and dies with this one.

The child is started by a few lines of Python that ask the kernel for a signal at the parent's
death and then become nats-server: a hook between fork and exec would run Python in a forked copy
of a process with threads, which can deadlock. The signal comes when the *thread* that started the
child ends, so a server is to be started from a thread that lives as long as it should.

The child inherits the lock on its store, which therefore lasts exactly as long as any process uses
the store, even an orphan: two servers on one store would destroy it.
"""

import asyncio
import fcntl
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from events.errors import ServerError
from node.server_binary import ServerBinary, find_server_binary, server_environment

CONFIG = Path(__file__).with_name("nats.conf")
HOST = "127.0.0.1"
READY_TIMEOUT_S = 60.0
STOP_GRACE_S = 10.0
POLL_S = 0.02
LOG_KEPT_BYTES = 4 * 1024 * 1024
"""A log above this size is set aside once, at the next start."""

BECOME_SERVER = """
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: Linux only
except (OSError, AttributeError):
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent ended before its server began")
os.execv(sys.argv[2], sys.argv[2:])
"""


class _Ports(msgspec.Struct):
    """What the server writes when it listens."""

    nats: list[str] = []
    monitoring: list[str] = []


class EmbeddedServer:
    """A nats-server on the loopback interface with its data, log and port file in `store`.

    `port` is taken if it is free, else (and for 0) any free one; a restart keeps the port.
    `config` replaces the packaged `nats.conf`; what it says about addresses is overruled.
    `lock_wait_s` is the time given to a server of the same store that is just ending.
    """

    def __init__(
        self,
        store: Path,
        port: int = 0,
        *,
        config: Path = CONFIG,
        lock_wait_s: float = STOP_GRACE_S,
    ) -> None:
        self.store = store
        self.port = port
        self.monitor_url = ""
        self.binary: ServerBinary | None = None
        self._config = config
        self._lock_wait_s = lock_wait_s
        self._process: asyncio.subprocess.Process | None = None
        self._started_before = False

    @property
    def url(self) -> str:
        """The address for clients; without meaning before the start."""
        return f"nats://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and alive else None

    @property
    def log_path(self) -> Path:
        """Where the server writes its log; kept across runs."""
        return self.store / "nats.log"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start and return when clients are served and the log is recovered.

        Raises `ServerError`, with the end of the server's own log, when it does not come up, and
        when another process uses the store.
        """
        if self.pid is not None:
            return
        self.store.mkdir(parents=True, exist_ok=True)
        self.binary = self.binary or await find_server_binary()
        self._choose_port()
        try:
            await self._run()
        except ServerError:
            # A port that was free a moment ago may be another's by now.
            wanted = self.port
            self._choose_port()
            if self.port == wanted:
                raise
            await self._run()
        self._started_before = True

    async def _run(self) -> None:
        """Start the process and wait until it serves; else it is gone again."""
        lock = await self._lock()
        try:
            self._process = await self._spawn(lock)
        finally:
            os.close(lock)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self._ready(self._process)
        except TimeoutError:
            await self.kill()
            raise self._error(f"nats-server was not ready within {READY_TIMEOUT_S:g} s") from None
        except BaseException:
            await self.kill()
            raise

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop in order, by force after `grace_s`; safe to repeat."""
        await self._end(signal.SIGTERM, grace_s)

    async def kill(self) -> None:
        """End the server as a crash would."""
        await self._end(signal.SIGKILL, STOP_GRACE_S)

    async def _end(self, how: signal.Signals, grace_s: float) -> None:
        process = self._process
        if process is None:
            return
        self._send(process, how)
        try:
            async with asyncio.timeout(grace_s):
                await process.wait()
        except TimeoutError:
            self._send(process, signal.SIGKILL)
            await process.wait()
        self._process = None

    def _send(self, process: asyncio.subprocess.Process, how: signal.Signals) -> None:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(how)

    def _choose_port(self) -> None:
        if self.port and not _is_free(self.port):
            if self._started_before:
                raise ServerError(
                    f"port {self.port} was taken while the server was down",
                    hint="end what listens there; connected nodes know no other port",
                )
            self.port = 0

    async def _lock(self) -> int:
        file = os.open(self.store / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        give_up = time.monotonic() + self._lock_wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < give_up:
                    await asyncio.sleep(POLL_S)
                    continue
                os.close(file)
                raise ServerError(
                    f"another nats-server uses the store {self.store}",
                    hint="stop it, or choose another state folder",
                ) from None
            return file

    async def _spawn(self, lock: int) -> asyncio.subprocess.Process:
        assert self.binary is not None
        self._ports_dir.mkdir(exist_ok=True)
        for left in self._ports_dir.glob("*.ports"):
            left.unlink(missing_ok=True)
        server = [str(self.binary.path), "-c", str(self._config.resolve()), "-a", HOST]
        server += ["-p", str(self.port or -1), "-m", "-1"]
        server += ["--ports_file_dir", str(self._ports_dir.resolve())]
        become = [sys.executable, "-I", "-S", "-c", BECOME_SERVER, str(os.getpid())]
        with self._open_log() as log:
            return await asyncio.create_subprocess_exec(
                *become,
                *server,
                cwd=self.store,
                env=server_environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )

    def _open_log(self) -> BinaryIO:
        if self.log_path.is_file() and self.log_path.stat().st_size > LOG_KEPT_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        return self.log_path.open("ab")

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        while not (self._learn_ports(process.pid) and await self._answers()):
            if process.returncode is not None:
                self._process = None
                raise self._error(f"nats-server ended with code {process.returncode} at its start")
            await asyncio.sleep(POLL_S)

    def _learn_ports(self, pid: int) -> bool:
        try:
            (file,) = self._ports_dir.glob(f"*_{pid}.ports")
            ports = msgspec.json.decode(file.read_bytes(), type=_Ports)
        except (ValueError, OSError, msgspec.DecodeError):
            return False
        if not ports.nats or not ports.monitoring:
            return False
        self.port = int(ports.nats[0].rpartition(":")[2])
        self.monitor_url = ports.monitoring[0]
        return True

    async def _answers(self) -> bool:
        """Say whether clients are greeted and JetStream has recovered its streams."""
        health = int(self.monitor_url.rpartition(":")[2])
        greeting = await _exchange(self.port, b"")
        answer = await _exchange(health, b"GET /healthz HTTP/1.0\r\n\r\n")
        return greeting.startswith(b"INFO ") and b" 200 " in answer

    @property
    def _ports_dir(self) -> Path:
        return self.store / "ports"

    def _error(self, what: str) -> ServerError:
        try:
            tail = self.log_path.read_text(errors="replace").splitlines()[-8:]
        except OSError:
            tail = []
        return ServerError(what, hint="\n".join([f"The end of {self.log_path}:", *tail]))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


async def _exchange(port: int, request: bytes) -> bytes:
    """Send `request` and return the first line of the answer, empty when there is none."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return b""
    try:
        writer.write(request)
        return await reader.readline()
    except (OSError, ValueError):
        return b""
    finally:
        writer.close()
