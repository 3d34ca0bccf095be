"""A small world for webhooks, and a receiver that answers as it is told."""

from collections.abc import AsyncIterator

import pytest

from tests.node.webhooks.small_world import SmallWorld
from tests.servers.webhooks import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def world() -> AsyncIterator[SmallWorld]:
    world = SmallWorld()
    yield world
    await world.close()
