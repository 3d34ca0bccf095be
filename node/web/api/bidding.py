"""How nodes fare in the jobs that are open: what became of their bids, and of what they ran."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from events.commitment import execution_id
from events.items import Range
from projections.state import ExecutionState, Job

FAILED: tuple[ExecutionState, ...] = ("failed", "lost", "rejected")


def bids_by_node(jobs: Iterable[Job]) -> dict[str, Counter[str]]:
    """Return for each node how many bids it placed, won and lost, and how many it declined.

    A bid is won when the node was given an execution of the offer's shards, and lost when these
    wait for nobody any more.
    """
    found: dict[str, Counter[str]] = {}
    for job in jobs:
        for offer in job.offers:
            given = _given(job, offer.shards) if offer.bids else set()
            waits = bool(offer.bids) and _waits(job, offer.shards)
            for node in offer.bids:
                count = found.setdefault(node, Counter())
                count["placed"] += 1
                count["won"] += node in given
                count["lost"] += node not in given and not waits
            for node in offer.declines:
                found.setdefault(node, Counter())["declined"] += 1
    return found


def bids_view(count: Counter[str] | None) -> dict[str, int]:
    """Return what became of a node's bids as a plain object."""
    count = count or Counter()
    return {name: count[name] for name in ("placed", "won", "lost", "declined")}


def failures_by_node(jobs: Iterable[Job]) -> dict[str, Counter[str]]:
    """Return for each node how many executions it failed, lost, or had rejected."""
    found: dict[str, Counter[str]] = {}
    for job in jobs:
        for shard in job.shards:
            for execution in shard.executions:
                if execution.state in FAILED:
                    found.setdefault(execution.node, Counter())[execution.state] += 1
    return found


def failures_view(count: Counter[str] | None) -> dict[str, int]:
    """Return how a node's executions failed as a plain object."""
    count = count or Counter()
    return {name: count[name] for name in FAILED}


def failures_of(jobs: Iterable[Job], node: str) -> list[dict[str, Any]]:
    """Return the executions that a node failed, lost, or had rejected."""
    return [
        {
            "id": execution_id(job.id, index, attempt),
            "job": job.id,
            "state": execution.state,
            "reason": execution.reason or None,
        }
        for job in jobs
        for index, shard in enumerate(job.shards)
        for attempt, execution in enumerate(shard.executions)
        if execution.node == node and execution.state in FAILED
    ]


def _given(job: Job, shards: tuple[Range, ...]) -> set[str]:
    return {
        execution.node
        for start, stop in shards
        for shard in job.shards[start:stop]
        for execution in shard.executions
    }


def _waits(job: Job, shards: tuple[Range, ...]) -> bool:
    return any(index in job.placing for start, stop in shards for index in range(start, stop))
