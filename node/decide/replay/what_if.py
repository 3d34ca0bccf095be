"""What other numbers of the policy would have changed about a recorded log, decision by decision.

Each decision that follows from its rules is made again by the others. Nothing is played: what
nodes answered and how long they took stays as it was, and only whom a job asked carries over to
its later decisions (`node.decide.replay.otherwise`).
"""

from collections.abc import Mapping
from typing import Any

from events.codec import KINDS
from events.decisions import (
    JobCancelled,
    JobClosed,
    JobCompleted,
    JobFailed,
    JobPlanned,
    ShardsAwarded,
    ShardsOffered,
)
from events.entry import Entry
from events.facts import BidsDeclined, BidsPlaced
from events.items import Offer
from events.log import Record
from events.subjects import NET
from node.decide.replay.again import Instead, decide_again
from node.decide.replay.check import Check, Explained, difference
from node.decide.replay.deadlines import Deadlines
from node.decide.replay.difference import changes
from node.decide.replay.otherwise import Answer, Otherwise
from node.decide.replay.supposed import Supposed, Tally
from node.orders import fresh
from node.policy import POLICIES, Policy, with_numbers
from projections.evolve import evolve
from projections.hindsight import Members
from projections.state import Job

ENDS = (JobCompleted, JobFailed, JobCancelled, JobClosed)
Awards = dict[tuple[int, int], str]
"""Who runs what, by shard and attempt."""


class WhatIf:
    """Takes the messages of a log in order; `numbers` are those that would be others."""

    def __init__(
        self,
        numbers: Mapping[str, int],
        policies: Mapping[str, Policy] = POLICIES,
        *,
        nodes: bool = True,
        members: Members | None = None,
    ) -> None:
        self._numbers = dict(numbers)
        self._check = Check(
            policies, nodes=nodes, members=members, fold=self._fold, explained=self._explained
        )
        self._rules: dict[str, Policy] = {}
        self._tally = Tally()
        self._jobs: dict[str, tuple[Otherwise, Deadlines]] = {}
        self._answers: dict[str, Answer] = {}

    def take(self, record: Record) -> None:
        """Take the next message."""
        entry = self._check.take(record)
        if entry is None or entry.address.job == NET:
            return
        name, event = entry.address.job, entry.event
        self._tally.events += 1
        if isinstance(event, BidsPlaced | BidsDeclined):
            self._tally.answers += 1
            items: tuple[Answer, ...] = (
                event.data.bids if isinstance(event, BidsPlaced) else event.data.declines
            )
            if items:
                self._answers[entry.address.author] = items[-1]
        if name in self._jobs:
            self._fact(name, entry)

    def finish(self) -> Supposed:
        """Return what would have been otherwise."""
        for name in list(self._jobs):
            self._close(name)
        checked = self._check.finish()
        not_compared = dict(checked.undecidable)
        if checked.differ:
            not_compared["not decided so today by the rules of then (--check)"] = checked.differ
        return self._tally.supposed(self._numbers, checked.jobs, not_compared)

    def _fact(self, name: str, entry: Entry) -> None:
        tally = self._tally
        if entry.address.role == "c":
            _, deadlines = self._jobs[name]
            deadlines.take(
                entry.event, entry.address.author, entry.time_ms, tally.late, tally.in_time
            )
        if self._check.standing(name) == "closed":
            self._close(name)

    def _close(self, name: str) -> None:
        otherwise, _ = self._jobs.pop(name)
        self._tally.introduced += len(otherwise.recorded)
        self._tally.introduced_if += len(otherwise.instead)

    def _fold(self, job: Job, entry: Entry) -> None:
        """Fold an event, and count the commands that it leads to, each once."""
        evolve(job, entry)
        if entry.address.role == "r":
            sent = len(fresh(job, entry))
            self._tally.commands += sent
            if isinstance(entry.event, ENDS):
                self._tally.releases += sent

    # Decisions

    def _explained(self, made: Explained) -> None:
        """Decide by the other rules, and count what would be otherwise."""
        instead = self._instead(made)
        event, tally = made.entry.event, self._tally
        kind = KINDS[type(event)]
        if instead.kind is type(event) and instead.data == event.data:
            tally.same += 1
        else:
            tally.otherwise += 1
            tally.first = tally.first or difference(made.entry, instead)
            if instead.kind is type(event):
                tally.note_fields(kind, list(changes(event.data, instead.data)))
            else:
                other = KINDS[instead.kind] if instead.kind is not None else "nothing at that time"
                tally.instead[f"{kind}: {other}"] += 1
        if made.job is not None:
            self._compare(made, made.job, instead)

    def _instead(self, made: Explained) -> Instead:
        version = made.policy.version
        rules = self._rules.get(version)
        if rules is None:
            rules = self._rules[version] = with_numbers(made.policy, self._numbers)
        job, patrols = made.job, (made.patrol,)
        if job is None:
            return decide_again(made.entry, None, made.nodes, rules, patrols).instead
        otherwise, _ = self._jobs.setdefault(job.id, (Otherwise(), Deadlines()))
        other = otherwise.job(job, self._answers)
        return decide_again(made.entry, other, made.nodes, rules, patrols).instead

    def _compare(self, made: Explained, job: Job, instead: Instead) -> None:
        event: Any = made.entry.event
        otherwise, deadlines = self._jobs[job.id]
        deadlines.set(event.data, instead.data, len(job.offers))
        if isinstance(event, JobPlanned | ShardsOffered) or instead.kind is ShardsOffered:
            self._offers(event, instead, otherwise, len(job.offers))
        if isinstance(event, ShardsAwarded) or instead.kind is ShardsAwarded:
            self._awards(_awards(event.data), _awards(instead.data), otherwise)

    def _offers(self, event: Any, instead: Instead, otherwise: Otherwise, first: int) -> None:
        """Count who is asked, and who would be. An offer that would come later still comes."""
        tally, data = self._tally, instead.data
        if instead.wake_ms:
            tally.postponed += 1
            instead, data = Instead(type(event), event.data), event.data
        recorded: tuple[Offer, ...] = getattr(event.data, "offers", ())
        others: tuple[Offer, ...] = getattr(data, "offers", ())
        names = {node for offer in recorded for node in offer.nodes}
        names_if = {node for offer in others for node in offer.nodes}
        tally.asked += len(names)
        tally.asked_if += len(names_if)
        tally.rounds += bool(recorded)
        tally.rounds_if += bool(others)
        tally.later_rounds += isinstance(event, ShardsOffered)
        tally.later_rounds_if += instead.kind is ShardsOffered
        tally.silent += sum(1 for name in names_if - names if name not in self._answers)
        otherwise.recorded |= names
        otherwise.instead |= names_if
        until_ms: int = getattr(data, "bids_until_ms", 0)
        if recorded != others or until_ms != getattr(event.data, "bids_until_ms", 0):
            tally.regrouped += not otherwise.note(first, recorded, until_ms, others)

    def _awards(self, recorded: Awards, others: Awards, otherwise: Otherwise) -> None:
        """Count where executions go, and where they would."""
        tally = self._tally
        for key, node in recorded.items():
            other = otherwise.placed.pop(key, "") or others.get(key, "")
            tally.by_node[node] += 1
            tally.same_node += other == node
            tally.other_node += other not in (node, "")
            tally.not_then += not other
            if other:
                tally.by_node_if[other] += 1
        otherwise.placed.update((key, node) for key, node in others.items() if key not in recorded)


def _awards(data: Any) -> Awards:
    return {(award.shard, award.attempt): award.node for award in getattr(data, "awards", ())}
