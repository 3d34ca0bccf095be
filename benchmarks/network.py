"""A network of its own for a benchmark: `lota dev` in another process, on a free port."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

STOP_S = 20.0


@asynccontextmanager
async def network(nodes: int) -> AsyncIterator[str]:
    """Start a network of so many compute nodes and yield the address of its server."""
    with tempfile.TemporaryDirectory(prefix="lota-bench-") as folder:
        environ = {**os.environ, "XDG_CONFIG_HOME": folder, "LOTA_PUBLISH_ROOT": f"{folder}/out"}
        command = ["-m", "node.cli.main", "dev", "--nodes", str(nodes), "--state", f"{folder}/net"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=Path.cwd(),
        )
        try:
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode()
            yield line.strip().removeprefix("LOTA_SERVER=")
        finally:
            if process.returncode is None:
                process.terminate()
                await asyncio.wait_for(process.wait(), STOP_S)
