"""One job as it would look to `decide` if it had asked whom other rules would have it ask.

Each node that is asked in addition is taken to answer as it last answered on the log, and its
answer to be there by the next decision. One that never has is left out, as if it were silent.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from events.items import Bid, Decline, Offer
from projections.state import Job, OfferState

Answer = Bid | Decline


class Asked(NamedTuple):
    """Whom an offer would go to instead, and until when their bids are waited for."""

    nodes: tuple[str, ...]
    until_ms: int


class Otherwise:
    """What would have been decided otherwise about one job so far.

    `placed` holds the executions that would be awarded before they were, by shard and attempt;
    `recorded` and `instead` name the nodes that were asked and that would be.
    """

    def __init__(self) -> None:
        self.placed: dict[tuple[int, int], str] = {}
        self.recorded: set[str] = set()
        self.instead: set[str] = set()
        self._asked: dict[int, Asked] = {}

    def note(
        self, first: int, recorded: Iterable[Offer], until_ms: int, instead: Iterable[Offer] | None
    ) -> bool:
        """Note whom offers, numbered from `first`, would go to instead; None for nobody now.

        Return whether they are of the same shards. Where they are not, an offer stands beside the
        one that has its first shard.
        """
        others = tuple(instead or ())
        same = True
        for number, offer in enumerate(recorded, first):
            start = offer.shards[0][0] if offer.shards else 0
            other = next((one for one in others if _has(one, start)), None)
            same = same and (other is None or other.shards == offer.shards)
            self._asked[number] = Asked(other.nodes if other is not None else (), until_ms)
        return same

    def job(self, job: Job, answers: Mapping[str, Answer]) -> Job:
        """Return the job with its offers as they would be, with the answers; the rest is shared."""
        if not self._asked:
            return job
        offers = [
            _as_asked(number, offer, self._asked[number], answers)
            if number in self._asked
            else offer
            for number, offer in enumerate(job.offers)
        ]
        return msgspec.structs.replace(job, offers=offers)


def _has(offer: Offer, shard: int) -> bool:
    return any(start <= shard < stop for start, stop in offer.shards)


def _as_asked(
    number: int, offer: OfferState, asked: Asked, answers: Mapping[str, Answer]
) -> OfferState:
    bids: dict[str, Bid] = {}
    declines: dict[str, Decline] = {}
    nodes: list[str] = []
    for node in asked.nodes:
        if node in offer.nodes:
            nodes.append(node)
            if node in offer.bids:
                bids[node] = offer.bids[node]
            if node in offer.declines:
                declines[node] = offer.declines[node]
            continue
        answer = answers.get(node)
        if isinstance(answer, Bid):
            nodes.append(node)
            bids[node] = msgspec.structs.replace(answer, offer=number)
        elif isinstance(answer, Decline):
            nodes.append(node)
            declines[node] = msgspec.structs.replace(answer, offer=number)
    return OfferState(
        decision=offer.decision,
        shards=offer.shards,
        nodes=tuple(nodes),
        made_ms=offer.made_ms,
        until_ms=asked.until_ms or offer.until_ms,
        bids=bids,
        declines=declines,
    )
