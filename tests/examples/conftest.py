"""A server of the examples' own, since they read whole logs, and a machine to run them on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.connection import connect
from events.jetstream import JetStreamLog, open_log
from node.server import EmbeddedServer
from tests.lota_process import Machine


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server that nobody else writes to."""
    async with EmbeddedServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def log(server: EmbeddedServer) -> AsyncIterator[JetStreamLog]:
    """Its log, which has no event yet."""
    client = await connect(server.url, name="test")
    log = await open_log(client)
    yield log
    await log.close()
    await client.close()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A home with nothing in it."""
    folder = tmp_path / "machine"
    folder.mkdir()
    return Machine(folder)
