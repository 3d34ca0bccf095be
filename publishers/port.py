"""The publisher's port: what a place for results must be able to do.

A driver is told the key, `<job>/<shard>`, and never which node it works for: whoever takes over a
publication writes the same bytes to the same place. All drivers are held to
`tests/contracts/test_publisher.py`.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from nats.aio.client import Client

from events.errors import PublishError

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}/(?:0|[1-9][0-9]{0,8})")


class Location(msgspec.Struct, frozen=True, gc=False):
    """Where a published result is: `size_bytes` is the cumulative size of its tree's blocks."""

    uri: str
    cid: str
    size_bytes: int


class SmallResult(msgspec.Struct, frozen=True, gc=False):
    """A result with nothing in `outputs/`, held in memory until somebody needs a folder."""

    stdout: bytes
    stderr: bytes
    exit_code: int

    def write_to(self, folder: Path) -> None:
        """Make `folder`, which must not exist, with the result tree; blocks, may raise OSError."""
        place = os.fspath(folder)
        os.mkdir(place)
        os.mkdir(f"{place}/outputs")
        _write(f"{place}/stdout", self.stdout)
        _write(f"{place}/stderr", self.stderr)
        _write(f"{place}/exit_code", b"%d" % self.exit_code)


Result = Path | SmallResult
"""What is published: the folder of a finished execution, or a small result from memory."""


class Workplace(NamedTuple):
    """What a driver may use of the process that opens it.

    `folder` is its own, made when needed, and outlives the process: what must survive a crash goes
    there. `client` is the connection to the log's server, None where there is no log.
    """

    folder: Path
    client: Client | None = None


class Copy(Protocol):
    """One copy of a result, to be read block by block.

    A copy is a stranger's word: whoever reads checks each block against its CID, as
    `publishers.reading` does. Paths are relative to the result, as `os.fsdecode` gives them.
    Both methods raise `NotFound` when the copy does not have the block, `PublishError` when it
    cannot be reached or does not let us read.
    """

    async def node(self, cid: bytes) -> bytes:
        """Return the block of a folder, or of a file of several chunks, by its CID in 36 bytes."""
        ...

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        """Return one chunk of a file: its CID, and where it stands in the file at `path`."""
        ...

    async def close(self) -> None:
        """Release what is held; safe to repeat."""
        ...


class Publisher(Protocol):
    """One place for results, opened with one credential."""

    name: str
    """The driver's name, as a job's spec gives it."""

    paid: bool
    """Whether making a publication again costs money."""

    async def check(self) -> None:
        """Raise `PublishError` when the place cannot be reached or does not let us write."""
        ...

    async def publish(
        self, result: Result, key: str, *, cid: str, replace: bool = False
    ) -> Location:
        """Put the result at `key` and return where it is, once it is durable there.

        With `replace` another result at the key gives way: the caller has read in the log that it
        was never accepted. Without, it is a `conflict`.

        Safe to repeat at any time, by any node, and after a crash at any point; nobody sees a
        part of a result. Raises `PublishError`: `permanent` when a repeat cannot help, as when
        the result does not have the CID or the place holds another one.
        """
        ...

    async def verify(self, location: Location) -> None:
        """Raise `PublishError` unless the place holds exactly the bytes that the CID names."""
        ...

    def copy(self, location: Location) -> Copy:
        """Return the published result as a copy to read from, without touching the place.

        Raises `PublishError` for a location that is not of this place: it comes from the log, so
        it may say anything.
        """
        ...

    async def close(self) -> None:
        """Release what is held; safe to repeat."""
        ...


class PaidPublisher(Publisher, Protocol):
    """A place where making a publication again costs money again."""

    async def lookup(self, key: str, *, cid: str) -> Location | None:
        """Ask what an earlier try, perhaps one cut short, came to at the service.

        Returns None only when surely nothing was made from here and nothing is on its way, so that
        paying now would be the first time if no other node has begun: that the log says, not the
        driver. Raises `PublishError` while nobody can tell.
        """
        ...


class RootPublisher(Publisher, Protocol):
    """A place that finds blocks by CID, so that a job's root need not lie with its shards."""

    async def publish_root(self, car: bytes, *, cid: str) -> Location:
        """Publish the folder that joins a job's shards, and nothing below it.

        `car` is a CARv1 whose root is `cid`. It holds the folder's blocks, and may hold more; the
        shards are where they were published. Safe to repeat. Raises `PublishError`.
        """
        ...


class OpenPublisher(Protocol):
    """Makes a driver: from the job's target and the values of the credential that it names.

    Where the service is, and the secret for it, are the operator's and stand in the credential;
    what goes where inside is the job's and stands in the target. So a job can send a secret
    nowhere but to its own service.
    """

    def __call__(
        self, target: str, credential: Mapping[str, str], workplace: Workplace
    ) -> Publisher:
        """Return the driver without touching the place.

        Raises `PublishError` for a bad target and for a credential that lacks a field.
        """
        ...


def require_key(key: str) -> None:
    """Raise `PublishError` unless `key` is `<job>/<shard>`: it becomes a path or a URL."""
    if not _KEY.fullmatch(key):
        raise PublishError(
            "bad-key", f"{key!r} is no upload key", permanent=True, hint="Use <job>/<shard>"
        )


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
