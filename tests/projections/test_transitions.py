"""The tables are total, and lead nowhere but to states."""

from typing import get_args

import pytest

from projections.evolve import _HANDLERS
from projections.state import TERMINAL, ExecutionState, JobState, SlotState
from projections.transitions import EXECUTION, ILLEGAL, JOB, LATE, SHARD, SLOT, Table

PHASES = ("open", "revealing", "publishing", "completed", "ended")
TABLES: dict[str, tuple[Table, tuple[str, ...]]] = {
    "execution": (EXECUTION, get_args(ExecutionState)),
    "shard": (SHARD, PHASES),
    "slot": (SLOT, get_args(SlotState)),
    "job": (JOB, get_args(JobState)),
}


@pytest.mark.parametrize("name", TABLES)
def test_total(name: str) -> None:
    """Every item has a cell in every state, and every cell is late, illegal or a state."""
    table, states = TABLES[name]
    items = {item for _, item in table}

    assert set(table) == {(state, item) for state in states for item in items}
    assert set(table.values()) <= {*states, LATE, ILLEGAL}


def test_every_event_has_a_column() -> None:
    """Every kind of event that concerns a job has its column in the job's table."""
    assert {item for _, item in JOB} == {"submitted", *(item for item, _ in _HANDLERS.values())}


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_ends_once(state: str) -> None:
    """A job that has ended stays as it ended."""
    assert {JOB[state, item] for _, item in JOB} <= {state, LATE, ILLEGAL}


@pytest.mark.parametrize("state", ["lost", "rejected", "cancelled"])
def test_closed_by_decision(state: str) -> None:
    """No fact opens an execution again that a decision has closed."""
    assert {EXECUTION[state, item] for _, item in EXECUTION} <= {state, LATE, ILLEGAL}


def test_facts_end_no_slot_twice() -> None:
    """A published slot stays published."""
    assert {SLOT["published", item] for _, item in SLOT} <= {"published", LATE, ILLEGAL}


def test_begun_slot_is_not_given_away() -> None:
    """Once somebody began to pay, a slot can only be looked up until it is published."""
    for state in ("started", "doubtful", "looking"):
        assert SLOT[state, "assigned"] is ILLEGAL


@pytest.mark.parametrize("fact", ["published", "unpaid"])
def test_lookup_overtaken(fact: str) -> None:
    """A fact that settles a doubtful slot makes the lookup late that was decided before it."""
    assert SLOT["doubtful", "lookup"] == "looking"
    assert SLOT[SLOT["doubtful", fact], "lookup"] is LATE
