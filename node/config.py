"""What a node is told when it starts."""

import os
import re
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path

import msgspec
import platformdirs

from events.errors import LotaError
from events.subjects import NAME

MEMORY_SHARE = 0.8


class Address(msgspec.Struct, frozen=True):
    """The server, and the credentials for it."""

    url: str
    user: str | None = None
    password: str | None = None
    token: str | None = None
    credentials: str | None = None


class ServeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is served over HTTP: `listen` is HOST:PORT, `url` what others see when it differs."""

    listen: str
    url: str = ""
    token_file: Path | None = None


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One node: its name and roles, where its state is, and what its operator allows.

    `cpu` and `memory_bytes` are the most that one execution may ask for; `width` is how many cores'
    worth of executions the node runs at one time. A node to throw away has no next life: what still
    runs when it stops is killed and not left to be taken up. A requester delivers webhooks to
    `allow_webhooks` alone.
    """

    name: str
    address: Address
    state: Path
    roles: tuple[str, ...] = ("requester", "compute")
    engines: tuple[str, ...] = ("noop",)
    allow_paths: tuple[str, ...] = ()
    allow_webhooks: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    publish_root: Path
    serve_results: ServeConfig | None = None
    cpu: float
    width: int
    memory_bytes: int
    throw_away: bool = False


def default_name() -> str:
    """Return the host's name, as a subject admits it."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:40] or "node"


def checked_name(name: str) -> str:
    """Return a node's name if it can stand in a subject; raises LotaError if not."""
    if not NAME.fullmatch(name):
        raise LotaError(
            f"{name!r} is no node name", hint="use 1 to 40 letters, digits, hyphens or underscores"
        )
    return name


def default_publish_root() -> Path:
    """Return the folder that all local nodes publish to; it outlives every node."""
    configured = os.environ.get("LOTA_PUBLISH_ROOT")
    return (
        Path(configured) if configured else Path(platformdirs.user_data_dir("lota")) / "published"
    )


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    """Return the memory that jobs may be given: most of the machine's."""
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE)


def disk_bytes(folder: Path) -> int:
    """Return the free space where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def allowed_paths(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that jobs may read, as they really are: absolute, links resolved."""
    return tuple(os.path.realpath(path) for path in paths)
