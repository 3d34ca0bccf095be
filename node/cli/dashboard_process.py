"""The dashboard of `lota dev`, in a process of its own.

What follows the log and answers browsers would take its time from the event loop of the nodes: jobs
that do nothing went through at two thirds of their rate. A process of low priority takes what the
network leaves; it ends with this one, however that ends, as its input does.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from node.cli.output import note

STOP_S = 5.0


@asynccontextmanager
async def dashboard_process(
    url: str,
    folder: Path,
    port: int | None,
    credentials: Path | None = None,
    allow_paths: Sequence[str] = (),
) -> AsyncIterator[None]:
    """Serve the dashboard of a server's log meanwhile; say where, or why there is none.

    `credentials` is the folder that published results are read with, and jobs that come over HTTP
    may name files below `allow_paths`.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "node.cli.dashboard_child", url, str(folder)),
        *([] if port is None else ["--port", str(port)]),
        *([] if credentials is None else ["--credentials", str(credentials)]),
        *(f"--allow-path={path}" for path in allow_paths),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Not a session of its own: systems that share by sessions would not heed its priority.
        process_group=0,
    )
    telling = asyncio.ensure_future(_tell(process))
    try:
        yield
    finally:
        telling.cancel()
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _tell(process: asyncio.subprocess.Process) -> None:
    """Say what the process says, and when it ends by itself."""
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    if line.startswith("!"):
        note(f"lota: there is no dashboard: {line.removeprefix('!').strip()}")
        return
    if line:
        note(f"The dashboard is {line}")
    await process.wait()
    note("lota: the dashboard has ended; the network goes on without it")
