"""How often a node is told again what it owes."""

import itertools

from node.pacing import NUDGE_MS_MAX, Nudges


def test_repeats_grow_apart() -> None:
    """The first repeat is free; each next waits twice as long, up to a bound."""
    nudges = Nudges(2_000)
    made = [ms for ms in range(0, 400_000, 1_000) if nudges.may("n", "j", ms)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(made)]
    assert gaps[:5] == [2_000, 4_000, 8_000, 16_000, 32_000]
    assert set(gaps[5:]) == {NUDGE_MS_MAX}


def test_nodes_and_jobs_are_paced_apart() -> None:
    """A repeat to one node, or about one job, says nothing about another."""
    nudges = Nudges(2_000)
    assert all(nudges.may(node, job, 0) for node in ("a", "b") for job in ("j", "k"))
    assert not nudges.may("a", "j", 1)


def test_a_closed_job_is_forgotten() -> None:
    """What is forgotten begins anew."""
    nudges = Nudges(2_000)
    assert nudges.may("a", "j", 0)
    nudges.forget("j")
    assert nudges.may("a", "j", 1)
