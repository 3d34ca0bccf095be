"""The figures of a what-if: each as recorded, and as it would be by other rules."""

import re
from collections import Counter
from typing import Any

import msgspec

from node.decide.replay.difference import Change, Difference

INDEX = re.compile(r"\[\d+\]")


class Pair(msgspec.Struct, frozen=True):
    """A figure as recorded, and what it would be."""

    recorded: float
    what_if: float


class Field(msgspec.Struct, frozen=True):
    """A part of a type of decision that would be otherwise: in how many, and the first of these."""

    type: str
    field: str
    decisions: int
    recorded: Any
    what_if: Any


class Supposed(msgspec.Struct, frozen=True, kw_only=True):
    """What would have been otherwise.

    `compared` decisions are `same` or `otherwise`; `instead` says of the latter what would be
    decided in place of which type, and `fields` where the same type would say something else.
    `not_compared` counts by reason what cannot be made again in the first place.

    Of the `executions` awarded, `same_node` and `other_node` say where they would go, and
    `not_then` counts those that would not be awarded at that time. `late` counts by kind answers
    that came in time and would have come after the deadline, `in_time` the other way round.
    `silent` counts askings of nodes of which no answer was on the log yet, `regrouped` the
    decisions whose offers would be of other groups of shards, `postponed` those whose offers would
    be made later.
    """

    numbers: dict[str, int]
    jobs: int
    compared: int
    same: int
    otherwise: int
    instead: dict[str, int]
    fields: tuple[Field, ...]
    not_compared: dict[str, int]
    nodes_asked: Pair
    rounds_of_offers: Pair
    events_per_job: Pair
    commands_per_job: Pair
    executions: int
    same_node: int
    other_node: int
    not_then: int
    nodes_used: Pair
    most_on_one_node: Pair
    late: dict[str, int]
    in_time: dict[str, int]
    silent: int
    regrouped: int
    postponed: int
    first: Difference | None


class Tally:
    """The counts behind a `Supposed`; `_if` marks what would be."""

    def __init__(self) -> None:
        self.same = 0
        self.otherwise = 0
        self.instead: Counter[str] = Counter()
        self.asked = self.asked_if = 0
        self.rounds = self.rounds_if = 0
        self.later_rounds = self.later_rounds_if = 0
        self.introduced = self.introduced_if = 0
        self.answers = 0
        self.events = 0
        self.commands = 0
        self.releases = 0
        self.same_node = self.other_node = self.not_then = 0
        self.by_node: Counter[str] = Counter()
        self.by_node_if: Counter[str] = Counter()
        self.late: Counter[str] = Counter()
        self.in_time: Counter[str] = Counter()
        self.silent = 0
        self.regrouped = 0
        self.postponed = 0
        self.first: Difference | None = None
        self._fields: dict[tuple[str, str], tuple[int, Change]] = {}

    def note_fields(self, kind: str, changes: list[Change]) -> None:
        """Count the parts of one decision that would be otherwise, each once."""
        seen: dict[str, Change] = {}
        for change in changes:
            seen.setdefault(INDEX.sub("", change.path), change)
        for field, change in seen.items():
            count, first = self._fields.get((kind, field), (0, change))
            self._fields[kind, field] = count + 1, first

    def supposed(
        self, numbers: dict[str, int], jobs: int, not_compared: dict[str, int]
    ) -> Supposed:
        """Return the figures.

        A node that is asked in addition costs its offer, its answer (as many events as an asking
        led to on the log), and being told that the job is over (as often as a node asked was).
        """
        more = self.asked_if - self.asked
        rounds = self.later_rounds_if - self.later_rounds
        told = self.releases / self.introduced if self.introduced else 0.0
        answers = self.answers / self.asked if self.asked else 0.0
        events_if = self.events + rounds + more * answers
        commands_if = self.commands + more + (self.introduced_if - self.introduced) * told
        per_job = max(1, jobs)
        return Supposed(
            numbers=numbers,
            jobs=jobs,
            compared=self.same + self.otherwise,
            same=self.same,
            otherwise=self.otherwise,
            instead=dict(sorted(self.instead.items())),
            fields=tuple(
                Field(kind, field, count, first.recorded, first.today)
                for (kind, field), (count, first) in sorted(self._fields.items())
            ),
            not_compared=not_compared,
            nodes_asked=Pair(self.asked, self.asked_if),
            rounds_of_offers=Pair(self.rounds, self.rounds_if),
            events_per_job=Pair(round(self.events / per_job, 2), round(events_if / per_job, 2)),
            commands_per_job=Pair(
                round(self.commands / per_job, 2), round(commands_if / per_job, 2)
            ),
            executions=self.same_node + self.other_node + self.not_then,
            same_node=self.same_node,
            other_node=self.other_node,
            not_then=self.not_then,
            nodes_used=Pair(len(self.by_node), len(self.by_node_if)),
            most_on_one_node=Pair(
                max(self.by_node.values(), default=0), max(self.by_node_if.values(), default=0)
            ),
            late=_some(self.late),
            in_time=_some(self.in_time),
            silent=self.silent,
            regrouped=self.regrouped,
            postponed=self.postponed,
            first=self.first,
        )


def _some(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in sorted(counts.items()) if count}
