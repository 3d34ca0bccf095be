"""How a job ended, told without a fold: what the fold says too."""

import pytest

from events.client.outcome import Outcome, outcome_of
from events.entry import read_entry
from events.errors import EventError
from projections.network import Network
from projections.state import TERMINAL
from tests.simulation.world import Plan, World


@pytest.mark.parametrize("seed", range(12))
def test_the_first_end_is_the_one_of_the_fold(seed: int) -> None:
    """In networks with crashes, liars, cancels and intruders both say the same of every job."""
    world = World(Plan(seed=seed, jobs=6))
    world.run()
    network = Network()
    outcomes: dict[str, Outcome] = {}
    for record in world.wire.log._records:
        network.fold(record)
        try:
            outcome = outcome_of(read_entry(record))
        except EventError:
            continue
        if outcome is not None:
            outcomes.setdefault(outcome.job, outcome)

    ended = {name: job for name, job in network.jobs.items() if job.state in TERMINAL}
    assert {name: outcome.state for name, outcome in outcomes.items()} == {
        name: job.state for name, job in ended.items()
    }
    for name, job in ended.items():
        told = outcomes[name]
        assert told.code == (job.code if job.state == "failed" else "")
        assert told.root_cid == (job.root_cid or "")
        assert told.exit_code == (0 if job.state == "completed" else job.exit_code)
