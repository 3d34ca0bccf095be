"""A network of its own for a benchmark: a server, and its nodes in one process, as `lota dev`."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from node.policy import Policy
from node.server import CONFIG, EmbeddedServer

STOP_S = 20.0
READY_S = 60.0
RELAXED = "# sync_interval: always"


@asynccontextmanager
async def network(
    nodes: int,
    *,
    over_ask: int = Policy().over_ask,
    synced: bool = False,
    dashboard: bool = False,
) -> AsyncIterator[EmbeddedServer]:
    """Start a network of so many compute nodes and yield its server.

    `synced` has the server sync every message to the disk before it acknowledges it. With a
    `dashboard` it is served in the process of the nodes.
    """
    with tempfile.TemporaryDirectory(prefix="lota-bench-") as name:
        folder = Path(name)
        settings = _synced(folder) if synced else CONFIG
        async with (
            EmbeddedServer(folder / "nats", config=settings) as server,
            _hosts(server, folder, nodes, over_ask, dashboard=dashboard),
        ):
            yield server


def _synced(folder: Path) -> Path:
    text = CONFIG.read_text()
    assert RELAXED in text, f"{CONFIG} no longer shows where sync_interval goes"
    changed = folder / "synced.conf"
    changed.write_text(text.replace(RELAXED, RELAXED.removeprefix("# ")))
    return changed


@asynccontextmanager
async def _hosts(
    server: EmbeddedServer, folder: Path, nodes: int, over_ask: int, *, dashboard: bool
) -> AsyncIterator[None]:
    log = folder / "nodes.log"
    options = [server.url, str(folder / "nodes")]
    options += ["--nodes", str(nodes), "--over-ask", str(over_ask)]
    options += ["--dashboard"] if dashboard else []
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.hosts", *options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_S):
            ready = await process.stdout.readline()
        if not ready:
            raise RuntimeError(f"the nodes did not start:\n{log.read_text()[-4000:]}")
        yield
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
