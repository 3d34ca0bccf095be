"""The machine that the figures come from: without it they say little."""

import os
import platform
from pathlib import Path

from node.config import cores
from node.server_binary import find_server_binary

GIB = 1 << 30


async def describe() -> list[str]:
    """Return lines that name cores, CPU, memory, kernel, Python and nats-server."""
    binary = await find_server_binary()
    version = ".".join(map(str, binary.version))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return [
        f"{cores()} cores, {_cpu_model()}, {memory_gib:.0f} GiB, {platform.machine()}",
        f"{platform.system()} {platform.release()}, {python}, nats-server {version}",
        f"load before the start {os.getloadavg()[0]:.2f}",
    ]


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "CPU unknown"
