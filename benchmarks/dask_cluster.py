"""Dask distributed as a peer. It is installed into a cache folder of its own, never into Lota's."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import platformdirs

from benchmarks.figures import Unavailable

PACKAGE = "distributed==2026.8.0"
INSTALL_S = 180.0
SCRIPT = Path(__file__).with_name("dask_true.py")


class Dask:
    """A cluster of two workers of one thread each, in another process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def per_s(self, how: str, tasks: int) -> float:
        """Return tasks a second, given as one `map` or by a `submit` for each."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{how} {tasks}\n".encode())
        return float(await self._process.stdout.readline())


@asynccontextmanager
async def dask() -> AsyncIterator[Dask]:
    """Start a cluster; raises Unavailable when Dask can neither be found nor installed."""
    process = await asyncio.create_subprocess_exec(
        await _python(),
        str(SCRIPT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if not await process.stdout.readline():
            raise Unavailable("Dask's cluster did not start")
        yield Dask(process)
    finally:
        process.stdin.close()
        await process.wait()


async def _python() -> Path:
    """Return an interpreter that has Dask; made once, known by a file that is written last."""
    folder = Path(platformdirs.user_cache_dir("lota")) / "bench" / PACKAGE
    python = folder / "bin" / "python"
    installed = folder / "installed"
    if not installed.exists():
        print(f"  installing {PACKAGE} into {folder}", flush=True)
        await _run(sys.executable, "-m", "venv", "--clear", str(folder))
        await _run(str(python), "-m", "pip", "install", "-qq", "--no-input", PACKAGE)
        installed.touch()
    return python


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    async with asyncio.timeout(INSTALL_S):
        if await process.wait():
            raise Unavailable(f"Dask could not be installed: {' '.join(command)} failed")
