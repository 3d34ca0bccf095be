"""Which answers on the log would have come too late by other deadlines, or no longer too late.

The time of an answer is that of its author's clock, and a deadline that of the requester's.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from events.codec import AnyEvent
from events.decisions import (
    JobPlannedData,
    PublicationsAssignedData,
    ResultsJudgedData,
    RevealsRequestedData,
    ShardsAwardedData,
    ShardsOfferedData,
)
from events.facts import (
    BidsDeclined,
    BidsPlaced,
    ExecutionsFailed,
    PublishFailed,
    ResultsProposed,
    ResultsPublished,
    ResultsRevealed,
)

BIDS, RUNS, REVEALS, PUBLICATIONS, ROOTS = "bids", "executions", "reveals", "publications", "roots"
Key = tuple[str, object, object]
"""What is waited for: its kind, and what tells it from others of its kind."""


class Deadlines:
    """The open waits of one job whose deadline would be another."""

    def __init__(self) -> None:
        self._waits: dict[Key, tuple[int, int]] = {}

    def set(self, recorded: object, instead: object, offers: int) -> None:
        """Note the waits of a decision and of the one in its place, by the data of both.

        `offers` is the number of the first offer of it.
        """
        others = dict(_begun(instead, offers))
        for key, until_ms in _begun(recorded, offers):
            other_ms = others.get(key, until_ms)
            if other_ms != until_ms:
                self._waits[key] = until_ms, other_ms

    def take(
        self, fact: AnyEvent, author: str, time_ms: int, late: Counter[str], in_time: Counter[str]
    ) -> None:
        """Count the answers of a fact that would come too late, or no longer would."""
        if not self._waits:
            return
        for key in _answered(fact, author):
            wait = self._waits.pop(key, None)
            if wait is not None:
                until_ms, other_ms = wait
                late[key[0]] += other_ms < time_ms <= until_ms
                in_time[key[0]] += until_ms < time_ms <= other_ms


def _begun(data: Any, offers: int) -> Iterator[tuple[Key, int]]:
    """Yield what a decision waits for, and until when."""
    match data:
        case JobPlannedData() | ShardsOfferedData():
            for number, offer in enumerate(data.offers, offers):
                for node in offer.nodes:
                    yield (BIDS, number, node), data.bids_until_ms
        case ShardsAwardedData():
            for award in data.awards:
                yield (RUNS, award.shard, award.attempt), data.until_ms
                for slot in data.publish:
                    yield (PUBLICATIONS, award.shard, slot), data.publish_until_ms
        case RevealsRequestedData():
            for asked in data.executions:
                yield (REVEALS, asked.shard, asked.attempt), data.until_ms
        case ResultsJudgedData():
            for judgement in data.judgements:
                for given in judgement.publish:
                    yield (PUBLICATIONS, judgement.shard, given.slot), data.publish_until_ms
        case PublicationsAssignedData():
            for assignment in data.assignments:
                yield (PUBLICATIONS, assignment.shard, assignment.slot), data.until_ms
            for root in data.roots:
                yield (ROOTS, root.slot, 0), data.until_ms
        case _:
            pass


def _answered(fact: AnyEvent, author: str) -> Iterator[Key]:
    """Yield what a fact answers."""
    match fact:
        case BidsPlaced():
            yield from ((BIDS, bid.offer, author) for bid in fact.data.bids)
        case BidsDeclined():
            yield from ((BIDS, decline.offer, author) for decline in fact.data.declines)
        case ResultsProposed():
            yield from ((RUNS, item.shard, item.attempt) for item in fact.data.proposals)
        case ExecutionsFailed():
            yield from ((RUNS, item.shard, item.attempt) for item in fact.data.failures)
        case ResultsRevealed():
            yield from ((REVEALS, item.shard, item.attempt) for item in fact.data.reveals)
        case ResultsPublished():
            for copy in fact.data.publications:
                yield PUBLICATIONS, copy.shard, copy.slot
                if copy.claim is not None:
                    yield RUNS, copy.shard, copy.attempt
            yield from ((ROOTS, root.slot, 0) for root in fact.data.roots)
        case PublishFailed():
            yield from ((PUBLICATIONS, item.shard, item.slot) for item in fact.data.failures)
            yield from ((ROOTS, root.slot, 0) for root in fact.data.roots)
        case _:
            pass
