"""The past is what a live projection had: at any position, of the network, a node and a job."""

from collections import Counter
from functools import cache
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from events.log import Record
from events.subjects import NODES, job_events
from projections.steps import Walk
from projections.travel import Travel, network_view, node_state_view
from tests.projections.story import log_of, story
from tests.simulation.checker import snapshot
from tests.simulation.world import Plan, World

SEEDS = st.integers(0, 5)
SHARES = st.floats(0.0, 1.0)


class Live(NamedTuple):
    """A simulated network: its log, and what a projection had at each position while it grew."""

    records: tuple[Record, ...]
    states: list[bytes]
    jobs: list[dict[str, bytes]]

    def at(self, share: float) -> int:
        """Return a position, by how far it is into the log."""
        return max(1, round(share * len(self.records)))


@cache
def live(seed: int) -> Live:
    """Run a network, and keep what its checker's fold knew behind every message."""
    world = World(Plan(seed=seed, jobs=4))
    checker, states, jobs = world.checker, [b""], [dict[str, bytes]()]
    check = world.wire.stored

    def stored(record: Record) -> None:
        check(record)
        name = record.subject.split(".")[3]
        job = checker.folded(name)
        states.append(snapshot(checker.network, {}))
        jobs.append(jobs[-1] | ({name: msgspec.json.encode(job)} if job is not None else {}))

    world.wire.stored = stored
    world.run()
    return Live(tuple(world.wire.log.records(limit=1 << 20)), states, jobs)


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, share=SHARES)
def test_the_network_is_as_it_was_live(seed: int, share: float) -> None:
    """The fold up to a position is, byte for byte, what a live projection had there."""
    was = live(seed)
    position = was.at(share)
    travel = Travel()
    for record in was.records[:position]:
        travel.fold(record)
    assert snapshot(travel.network, {}) == was.states[position]


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, share=SHARES, which=SHARES)
def test_a_job_is_as_it_was_live(seed: int, share: float, which: float) -> None:
    """The fold of one job's own messages up to a position is what a live projection had there."""
    was = live(seed)
    position = was.at(share)
    known = sorted(was.jobs[position])
    if not known:
        return
    name = known[round(which * (len(known) - 1))]
    travel = Travel(keep=name)
    closed_at = 0
    for record in log_of(was.records).records((job_events(name), NODES), limit=1 << 20):
        if record.position <= position and not closed_at:
            travel.fold(record)
            job = travel.network.jobs.get(name)
            closed_at = record.position if job is not None and job.closed else 0
    job = travel.network.jobs[name]
    assert msgspec.json.encode(job) == was.jobs[closed_at or position][name]


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, share=SHARES)
def test_walking_comes_to_the_same_state(seed: int, share: float) -> None:
    """To look at each step changes nothing of what is folded."""
    was = live(seed)
    position = was.at(share)
    travel = Travel()
    walk = Walk(travel)
    for record in was.records[:position]:
        walk.take(record)
    assert snapshot(travel.network, {}) == was.states[position]


def test_closed_jobs_leave_and_are_counted() -> None:
    """At the end of a log no job is in memory, and each is counted in its last state."""
    travel = Travel()
    for record in story(1):
        travel.fold(record)
    view = network_view(travel)
    assert not travel.network.jobs
    assert view["open"] == view["closed"] == []
    assert view["jobs"]["closed"] == 8
    assert sum(count for state, count in view["jobs"].items() if state != "closed") == 8


def test_closed_jobs_are_listed_when_asked_for() -> None:
    """With `list_closed` each closed job is a row, in the order of their ends."""
    travel, counted = Travel(list_closed=True), Travel()
    for record in story(1):
        travel.fold(record)
        counted.fold(record)
    rows = network_view(travel)["closed"]
    assert Counter(row["state"] for row in rows) == counted.tally.ended
    assert len({row["id"] for row in rows}) == 8


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, share=SHARES)
def test_nodes_hold_what_is_open(seed: int, share: float) -> None:
    """The executions in the nodes' hands are those that the open jobs count as open."""
    was = live(seed)
    travel = Travel()
    for record in was.records[: was.at(share)]:
        travel.fold(record)
    network = travel.network
    open_now = Counter[str]()
    for job in network.jobs.values():
        open_now.update(job.load)
    for node in network.nodes.members.values():
        held = node_state_view(travel, node)["executions"]
        assert len(held) == open_now[node.name]
