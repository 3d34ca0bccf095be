"""Where the time of a job went: a lane for each execution, and how long shards were in each stage.

A shard is always in one stage, so the stages of a shard add up to its life, tries that came to
nothing included. Times are those in the events, by their authors' clocks; where these disagree a
stage is taken to be empty rather than negative.
"""

from collections.abc import Iterable
from heapq import nsmallest
from statistics import median_low
from typing import Any

from events.commitment import execution_id
from events.decisions import JobCancelled, JobCompleted, JobFailed
from events.entry import Entry
from events.times import rfc3339
from projections.state import (
    TERMINAL,
    Execution,
    ExecutionState,
    Job,
    Mutable,
    Shard,
    ShardState,
    SlotState,
)
from projections.steps.picture import named_shards

STAGES = ("queue", "bid", "run", "verify", "publish")
"""What a shard waits for, in this order: a plan, a node, its result, the verdict, the copies."""

STAGE_OF: dict[ShardState, str] = {
    "waiting": "queue",
    "offered": "bid",
    "running": "run",
    "verifying": "verify",
    "publishing": "publish",
}

BEGUN: frozenset[SlotState] = frozenset({"assigned", "started"})
BAD: frozenset[ExecutionState] = frozenset({"failed", "rejected", "lost"})


class Mark(Mutable):
    """From `at_ms` on, the execution was in this state."""

    state: str
    at_ms: int


class Lane(Mutable):
    """One execution: whose it is and when it came to which state."""

    shard: int
    attempt: int
    node: str
    marks: list[Mark]

    @property
    def state(self) -> str:
        """The state that it has now."""
        return self.marks[-1].state

    def in_hand_ms(self, now_ms: int) -> int:
        """Return how long its node had it: from the award to the end of its command, or to now."""
        for mark in self.marks:
            if mark.state not in ("awarded", "running"):
                return mark.at_ms - self.marks[0].at_ms
        return max(0, now_ms - self.marks[0].at_ms)


class Stay(Mutable):
    """A shard's time so far, by stage; since `since_ms` it is in `stage`, "" when it has ended."""

    stage: str
    since_ms: int
    spent_ms: dict[str, int] = {}


class Lanes(Mutable):
    """The lanes and stays of one job, as far as `now_ms`; what comes after its end is no part."""

    lanes: dict[tuple[int, int], Lane] = {}
    stays: list[Stay] = []
    start_ms: int = 0
    now_ms: int = 0

    def note(self, job: Job, entry: Entry) -> None:
        """Take in an event of the job that was folded just now."""
        self.start_ms = self.start_ms or entry.time_ms
        self.now_ms = job.ended_ms or max(self.now_ms, entry.time_ms)
        events = [part.event for part in entry.parts()]
        ended = any(isinstance(event, JobCompleted | JobFailed | JobCancelled) for event in events)
        for index in self._unplanned(job):
            stay = Stay(stage="queue", since_ms=self.start_ms)
            self.stays.append(stay)
            self._move(stay, job.shards[index], entry.time_ms)
        count = len(job.shards)
        named = {index for event in events for index in named_shards(event, count)}
        for index in range(count) if ended else named:
            self._shard(index, job.shards[index], entry.time_ms)

    def _unplanned(self, job: Job) -> Iterable[int]:
        return range(len(self.stays), len(job.shards))

    def _shard(self, index: int, shard: Shard, time_ms: int) -> None:
        self._move(self.stays[index], shard, time_ms)
        for attempt, execution in enumerate(shard.executions):
            lane = self.lanes.get((index, attempt))
            if lane is None:
                mark = Mark(state="awarded", at_ms=execution.awarded_ms)
                lane = Lane(shard=index, attempt=attempt, node=execution.node, marks=[mark])
                self.lanes[index, attempt] = lane
            state = _state(shard, attempt, execution)
            if lane.state != state:
                at_ms = max(lane.marks[-1].at_ms, time_ms)
                lane.marks.append(Mark(state=state, at_ms=at_ms))

    def _move(self, stay: Stay, shard: Shard, time_ms: int) -> None:
        stage = STAGE_OF.get(shard.state, "")
        if stage != stay.stage:
            _spend(stay, time_ms)
            stay.stage, stay.since_ms = stage, max(time_ms, stay.since_ms)

    def spent_ms(self, stage: str, shards: Iterable[int], until_ms: int) -> list[int]:
        """Return how long each of these shards was in a stage, up to then."""
        found = []
        for index in shards:
            stay = self.stays[index]
            open_ms = max(0, until_ms - stay.since_ms) if stay.stage == stage else 0
            found.append(stay.spent_ms.get(stage, 0) + open_ms)
        return found


def _state(shard: Shard, attempt: int, execution: Execution) -> str:
    """Return the state of an execution; of an accepted one whether it publishes, and that its shard
    failed all the same, as by the exit code that was agreed on.
    """
    if execution.state != "accepted":
        return execution.state
    slots = shard.slots.values()
    if any(copy.attempt == attempt for slot in slots for copy in slot.copies):
        return "published"
    if shard.state == "failed":
        return "failed"
    if any(slot.attempt == attempt and slot.state in BEGUN for slot in slots):
        return "publishing"
    return "accepted"


def _spend(stay: Stay, until_ms: int) -> None:
    if stay.stage:
        passed = max(0, until_ms - stay.since_ms)
        stay.spent_ms[stay.stage] = stay.spent_ms.get(stay.stage, 0) + passed


def lanes_view(
    job: Job,
    lanes: Lanes,
    shard: int | None = None,
    *,
    now_ms: int = 0,
    most: int | None = None,
) -> dict[str, Any]:
    """Return the stages and lanes of a job, or of one of its shards.

    A job that has not ended goes on up to `now_ms`, also where no event has said anything since.
    `took_ms` is from the submission to the end or to now. `total_ms` is the sum over the shards,
    `median_ms` and `longest_ms` are of one shard. Of a job of more than `most` lanes only those are
    returned that ended badly, and then those that took longest.
    """
    shards = range(len(lanes.stays)) if shard is None else [shard]
    ended = job.state in TERMINAL
    until_ms = lanes.now_ms if ended else max(lanes.now_ms, now_ms)
    stages = [_stage(name, lanes.spent_ms(name, shards, until_ms)) for name in STAGES]
    took_ms = max(0, until_ms - lanes.start_ms)
    if shard is not None:
        took_ms = sum(stage["total_ms"] for stage in stages)
    return {
        "job": job.id,
        "state": job.state,
        "ended": ended,
        "shards": len(shards),
        "start": rfc3339(lanes.start_ms) if lanes.start_ms else None,
        "took_ms": took_ms,
        "stages": stages,
        "lanes": [
            _lane(job, lane, lanes, until_ms) for lane in _lanes(lanes, shard, most, until_ms)
        ],
    }


def _stage(name: str, spent_ms: list[int]) -> dict[str, Any]:
    return {
        "stage": name,
        "total_ms": sum(spent_ms),
        "median_ms": median_low(spent_ms) if spent_ms else 0,
        "longest_ms": max(spent_ms, default=0),
    }


def _lanes(lanes: Lanes, shard: int | None, most: int | None, until_ms: int) -> list[Lane]:
    found = [lane for lane in lanes.lanes.values() if shard is None or shard == lane.shard]
    if most is not None and len(found) > most:
        return nsmallest(most, found, key=lambda lane: _rank(lane, until_ms))
    return sorted(found, key=lambda lane: (lane.shard, lane.attempt))


def _rank(lane: Lane, until_ms: int) -> tuple[bool, int, int, int]:
    return lane.state not in BAD, -lane.in_hand_ms(until_ms), lane.shard, lane.attempt


def _lane(job: Job, lane: Lane, lanes: Lanes, until_ms: int) -> dict[str, Any]:
    return {
        "execution": execution_id(job.id, lane.shard, lane.attempt),
        "shard": lane.shard,
        "attempt": lane.attempt,
        "node": lane.node,
        "state": lane.state,
        "in_hand_ms": lane.in_hand_ms(until_ms),
        "marks": [
            {"state": mark.state, "after_ms": max(0, mark.at_ms - lanes.start_ms)}
            for mark in lane.marks
        ],
    }
