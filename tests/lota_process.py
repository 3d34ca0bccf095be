"""Command lines of `lota` as processes of their own, as a user or an operator runs them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

LOTA = Path(sys.executable).with_name("lota")
PATIENCE_S = 60.0


class Ran(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


class Running:
    """One process; what it prints is kept, and can be waited for line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process
        self._out: list[str] = []
        self._err: list[str] = []
        self._both: list[str] = []
        self._more = asyncio.Condition()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            asyncio.ensure_future(self._read(self._out, process.stdout)),
            asyncio.ensure_future(self._read(self._err, process.stderr)),
        ]

    @property
    def out(self) -> str:
        """What it has written to stdout."""
        return "".join(self._out)

    @property
    def err(self) -> str:
        """What it has written to stderr."""
        return "".join(self._err)

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self._process.returncode is not None

    async def line(self, part: str) -> str:
        """Wait for a whole line that holds `part`, on either stream, and return it."""
        looked_at = 0
        try:
            async with asyncio.timeout(PATIENCE_S), self._more:
                while True:
                    for line in self._both[looked_at:]:
                        if part in line and line.endswith("\n"):
                            return line.rstrip("\n")
                    looked_at = len(self._both)
                    assert not all(reader.done() for reader in self._readers), self._both
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"no {part!r} in {self._both}") from None

    async def end(self) -> Ran:
        """Wait until it ends by itself."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                code = await self._process.wait()
                await asyncio.gather(*self._readers)
        except TimeoutError:
            raise AssertionError(f"it does not end: {self._both}") from None
        return Ran(code, self.out, self.err)

    async def interrupt(self) -> Ran:
        """Press Ctrl-C: the whole process group gets the signal."""
        os.killpg(self.pid, signal.SIGINT)
        return await self.end()

    async def terminate(self) -> Ran:
        """Stop it in good order."""
        self._process.terminate()
        return await self.end()

    async def kill(self) -> None:
        """End it as a crash would; safe to repeat."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        for reader in self._readers:
            reader.cancel()

    async def _read(self, printed: list[str], stream: asyncio.StreamReader) -> None:
        while True:
            line = await stream.readline()
            async with self._more:
                for kept in (printed, self._both):
                    kept.append(line.decode(errors="replace"))
                self._more.notify_all()
            if not line:
                return


class Machine:
    """A home of its own below `folder`, in which command lines are run; the rest is inherited."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.empty = folder / "empty"
        self.published = folder / "data" / "lota" / "published"
        self.environment = {
            "PATH": f"{LOTA.parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "HOME": str(folder / "home"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "TMPDIR": str(folder / "tmp"),
        }
        for name in ("home", "tmp", "empty"):
            (folder / name).mkdir(exist_ok=True)

    @asynccontextmanager
    async def start(
        self,
        *words: str | Path,
        stdin: bytes = b"",
        **environment: str,
    ) -> AsyncIterator[Running]:
        """Start a command in the empty folder; it is killed if it still runs in the end."""
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=self.empty,
            env={**self.environment, **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.close()
        running = Running(process)
        try:
            yield running
        finally:
            await running.kill()

    async def run(self, *words: str | Path, stdin: bytes = b"", **environment: str) -> Ran:
        """Run `lota` with these words to its end."""
        async with self.start(LOTA, *words, stdin=stdin, **environment) as running:
            return await running.end()

    def left(self) -> list[str]:
        """Return the processes that work below this machine's folder."""
        found = []
        for pid in os.listdir("/proc"):
            if pid.isdigit():
                try:
                    at = os.readlink(f"/proc/{pid}/cwd")
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if Path(at).is_relative_to(self.folder):
                    found.append(f"{pid} {b' '.join(words).decode(errors='replace')}")
        return found
