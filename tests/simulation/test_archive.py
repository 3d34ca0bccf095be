"""Networks whose log is archived while everything goes wrong."""

import pytest

from tests.simulation.archivist import ArchivedWorld
from tests.simulation.world import Plan

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_archiving_breaks_nothing(seed: int) -> None:
    """Every job ends, every fold is that of the whole log, and the audit of the honest is clean."""
    world = ArchivedWorld(Plan(seed=seed, jobs=30, trouble_ms=120_000))
    world.run()

    assert world.archives
