"""The publisher suites' fixtures: every registered driver, at a fresh place of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from publishers import names
from publishers.port import Publisher
from tests.contracts.places import Place, place_of
from tests.contracts.publishing import open_at, write_folder


@pytest.fixture(params=names())
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with place_of(request.param, tmp_path / "place") as made:
        yield made


@pytest.fixture
async def publisher(place: Place) -> AsyncIterator[Publisher]:
    opened = open_at(place)
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A result with files of all sorts in its outputs."""
    write_folder(tmp_path / "result")
    return tmp_path / "result"
