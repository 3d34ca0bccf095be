"""The whole network under fixed seeds, and a few that nobody has seen before."""

import random

import pytest

from events.spec import JobSpec
from tests.simulation.faults import CALM, WILD
from tests.simulation.shrink import play
from tests.simulation.world import Plan, World

FIXED = (*range(16), 1055, 1233, 21255, 31264)
NEW = 6


def run(plan: Plan) -> World:
    world, failure = play(plan)
    assert failure is None, (
        f"run `python -m tests.simulation --seed {plan.seed}`: {failure.what}\n{failure.where}"
    )
    return world


@pytest.mark.parametrize("seed", FIXED)
def test_fixed(seed: int) -> None:
    """Nothing that may go wrong breaks an invariant, under seeds that once found something."""
    run(Plan(seed=seed))


def test_new() -> None:
    """Nothing breaks under seeds that no run has had before."""
    for _ in range(NEW):
        run(Plan(seed=random.SystemRandom().randrange(1 << 40), faults=WILD))


@pytest.mark.parametrize("seed", range(4))
def test_calm(seed: int) -> None:
    """When nothing goes wrong, every job that can be placed completes, or fails as its user's."""
    world = run(Plan(seed=seed, faults=CALM))

    for job in world.checker.closed.values():
        replicas = job.spec.deal.replicas
        able = sum(1 for node in world.nodes if _can(node.capabilities.publishers, job.spec))
        if able >= max(replicas, job.spec.deal.min_bids):
            assert job.state == "completed" or job.code == "user", (job.id, job.code, job.reason)


def _can(publishers: tuple[str, ...], spec: JobSpec) -> bool:
    wanted = [entry.driver for entry in spec.publishers]
    able = sum(1 for driver in wanted if driver in publishers)
    return able >= spec.slots_needed


def test_same_seed() -> None:
    """A seed gives the same log to the byte, so a failure can be seen again."""
    first, again = run(Plan(seed=5)), run(Plan(seed=5))

    assert first.wire.log.records(limit=1 << 20) == again.wire.log.records(limit=1 << 20)
