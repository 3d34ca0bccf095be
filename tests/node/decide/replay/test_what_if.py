"""What other numbers would have changed, held against what they do change."""

from functools import cache
from typing import Any

import msgspec
import pytest

from events.log import Record
from node.policy import NUMBERS, Policy
from tests.node.decide.replay.recorded import stage, supposed
from tests.simulation.faults import Faults
from tests.simulation.shrink import play
from tests.simulation.stage import FREE, POLICY, Stage
from tests.simulation.world import Plan

FIGURES = ("nodes_asked", "rounds_of_offers", "events_per_job", "commands_per_job")


@cache
def wild() -> list[Record]:
    """Return the log of a network in which everything goes wrong."""
    world, failure = play(Plan(seed=11, jobs=6))
    assert failure is None
    return world.wire.log._records


@pytest.mark.parametrize("name", NUMBERS)
def test_the_same_numbers_change_nothing(name: str) -> None:
    """With the numbers of then, everything stays as it was, whatever went wrong."""
    numbers: dict[str, Any] = {name: getattr(POLICY, name)}
    found = supposed(wild(), **numbers)

    assert (found.otherwise, found.other_node, found.not_then, found.late) == (0, 0, 0, {})
    assert found.same == found.compared
    for figure in (*FIGURES, "nodes_used", "most_on_one_node"):
        pair = getattr(found, figure)
        assert pair.recorded == pair.what_if, figure


JOBS: dict[str, dict[str, Any]] = {
    "fused": {"verifier": "none"},
    "published": {"publishers": (FREE,)},
    "replicas": {"replicas": 2, "publishers": (FREE,)},
}


@pytest.mark.parametrize("over_ask", [1, 3])
@pytest.mark.parametrize("job", JOBS)
def test_what_is_said_is_what_comes(job: str, over_ask: int) -> None:
    """Where nothing goes wrong, a network by the other number costs just what was said of it."""
    said = supposed(played(**JOBS[job]), over_ask=over_ask)
    rules = msgspec.structs.replace(POLICY, version="other", over_ask=over_ask)
    came = supposed(played(rules, **JOBS[job]), {"other": rules})

    assert came.same == came.compared
    for figure in FIGURES:
        assert getattr(said, figure).what_if == getattr(came, figure).recorded, figure


@pytest.mark.parametrize("over_ask", [1, 3])
def test_shards_go_where_they_would(over_ask: int) -> None:
    """The shards of a large job spread over as many nodes, as evenly, as they do by that number."""
    job: dict[str, Any] = {"shards": 24, "replicas": 2}
    said = supposed(played(**job), over_ask=over_ask)
    rules = msgspec.structs.replace(POLICY, version="other", over_ask=over_ask)
    came = supposed(played(rules, **job), {"other": rules})

    assert said.nodes_used.what_if == came.nodes_used.recorded
    assert said.most_on_one_node.what_if == came.most_on_one_node.recorded
    assert said.nodes_asked.what_if == came.nodes_asked.recorded
    assert said.executions == said.same_node + said.other_node
    assert said.other_node > 0


def played(policy: Policy = POLICY, **job: Any) -> list[Record]:
    """Return the log of a network that runs one job."""
    return stage(policy=policy, **job).wire.log._records


def test_a_round_that_would_be_saved() -> None:
    """Where more were asked at once, shards that failed go to who has bid, without new offers."""
    made = Stage(nodes=5, seed=3, faults=Faults(broken=0.3))
    made.open()
    made.submit(shards=10)
    made.play()
    found = supposed(made.wire.log._records, over_ask=5)

    assert found.instead == {"shards.offered: shards.awarded": found.rounds_of_offers.recorded - 1}
    assert found.rounds_of_offers.what_if == 1
    assert found.events_per_job.what_if < found.events_per_job.recorded
    assert found.not_then == 0


def test_answers_that_would_be_late() -> None:
    """Other deadlines say which answers of the log they would have cut off."""
    log = played(replicas=2, publishers=(FREE,))
    for name, kind in (
        ("bids_ms", "bids"),
        ("reveal_ms", "reveals"),
        ("publish_ms", "publications"),
    ):
        hasty: dict[str, Any] = {name: 1}
        patient: dict[str, Any] = {name: 500_000}
        assert list(supposed(log, **hasty).late) == [kind]
        assert supposed(log, **patient).late == {}


def test_a_node_that_would_not_be_lost_yet() -> None:
    """Of a node that was given up on, more patience says that it would not have been then."""
    made = Stage(nodes=3)
    for node in made.nodes:
        node.run_ms = 9_000
    made.open()
    made.submit()
    made.play(lambda: made.told("executions.started"))
    made.node(made.job.shards[0].executions[0].node).crash()
    made.play()
    found = supposed(made.wire.log._records, presence_ms=60_000)

    assert found.instead["node.lost: nothing at that time"] == 1


def test_who_has_answered_nothing_is_left_out() -> None:
    """A node that was never asked is counted among those asked, and gets no shard."""
    found = supposed(played(nodes=3), over_ask=3)

    assert (found.nodes_asked.what_if, found.silent) == (3, 1)
    assert (found.same_node, found.other_node) == (1, 0)


def test_what_cannot_be_compared() -> None:
    """What cannot be made again by its own rules is not compared, and counted."""
    log = played()
    assert supposed(log, {}, over_ask=3).compared == 0
    changed = {POLICY.version: msgspec.structs.replace(POLICY, over_ask=1)}
    found = supposed(log, changed, over_ask=3)
    assert found.not_compared == {"not decided so today by the rules of then (--check)": 1}
