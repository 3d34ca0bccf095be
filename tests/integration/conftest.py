"""What several of these tests begin with: a server of their own, a client, a command line."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from node.cli.main import main
from node.server import EmbeddedServer
from tests.integration.watch import Watch


class Ran(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The document that it printed."""
        return json.loads(self.out)


Lota = Callable[..., Awaitable[Ran]]


@pytest.fixture
def lota(capsysbinary: pytest.CaptureFixture[bytes]) -> Lota:
    """Run a command line, in a thread as it brings a loop of its own."""

    async def run(*words: object) -> Ran:
        code = await asyncio.to_thread(main, [str(word) for word in words])
        out, err = capsysbinary.readouterr()
        return Ran(code, out.decode(), err.decode())

    return run


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A nats-server that a test may kill and start again at the same address."""
    async with EmbeddedServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def watch(server: EmbeddedServer) -> AsyncIterator[Watch]:
    """A client that follows the log."""
    async with Watch(server.url) as watch:
        yield watch
