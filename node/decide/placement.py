"""Decide the plan, who is asked, and who gets which shard."""

from collections.abc import Iterable
from typing import NamedTuple

from events.decisions import (
    JobPlanned,
    JobPlannedData,
    ShardsAwarded,
    ShardsAwardedData,
    ShardsOffered,
    ShardsOfferedData,
)
from events.errors import InvalidSpec
from events.items import Award, Bid, Offer, Range
from events.sharding import shard_count
from node.decide.cohorts import Cohort
from node.decide.view import View, append, attempts_left, one_round
from node.effects import Append, WakeAt
from projections.nodes import Node, by_askings, refusal, weight
from projections.ring import top
from projections.state import BUSY, COMMITTED, Job, OfferState, Shard


def plan(view: View) -> Append | str:
    """Cut the job into shards and make the first offers; a string says why it cannot be."""
    job, policy = view.job, view.policy
    counts = [listing.count if listing is not None else 0 for listing in job.inputs]
    try:
        shards = shard_count(job.spec, counts)
    except InvalidSpec as error:
        return str(error)
    able = eligible(view)
    offers: list[Offer] = []
    groups = min(shards, policy.groups_max)
    wanted = asked(view, job.spec.deal.replicas)
    if len(able) >= job.spec.deal.replicas:
        for group in range(groups):
            start, stop = group * shards // groups, (group + 1) * shards // groups
            names = top(_weights(view, able), f"{job.id}/{start}", wanted)
            offers.append(Offer(((start, stop),), tuple(names)))
    return append(
        view,
        JobPlanned,
        JobPlannedData,
        shards=shards,
        deadline_ms=view.now_ms + job.spec.deadline_ms,
        offers=tuple(offers),
        bids_until_ms=view.now_ms + policy.bids_ms if offers else 0,
    )


def eligible(view: View) -> list[Node]:
    """Return the nodes that can run a shard of the job."""
    spec = view.job.spec
    return [node for node in view.nodes.members.values() if not refusal(node, spec, view.now_ms)]


def asked(view: View, needed: int) -> int:
    """Return how many nodes an offer goes to."""
    return max(needed * view.policy.over_ask, view.job.spec.deal.min_bids)


def _weights(view: View, nodes: Iterable[Node]) -> list[tuple[str, float]]:
    return [(node.name, weight(node, view.job.spec)) for node in nodes]


class _Bidder(NamedTuple):
    """A standing bid for a shard: the node's rank by the ring, its bid, and its past here."""

    node: str
    rank: int
    bid: Bid
    tried: bool


def place(view: View, waiting: list[Cohort]) -> Append | WakeAt | None:
    """Award shards to standing bids, or make further offers where no bid is left."""
    awards, until_ms = _awards(view, waiting)
    if awards:
        spec = view.job.spec
        paid = any(publisher.driver in view.policy.paid for publisher in spec.publishers)
        slots = tuple(range(spec.slots_needed)) if spec.fused and not paid else ()
        return append(
            view,
            ShardsAwarded,
            ShardsAwardedData,
            awards=tuple(awards),
            until_ms=until_ms,
            publish=slots,
            publish_until_ms=until_ms + view.policy.publish_ms if slots else 0,
        )
    return _offers(view, waiting)


def _awards(view: View, waiting: list[Cohort]) -> tuple[list[Award], int]:
    job, policy = view.job, view.policy
    load = dict(job.load)
    room = _room(job, load)
    awards: list[Award] = []
    turns = 1
    for cohort in waiting:
        if not room or len(awards) >= policy.round_items_max:
            break
        shard = cohort.shard
        needed = job.spec.deal.replicas - cohort.held
        if needed <= 0 or not attempts_left(view, shard):
            continue
        bidders = _bidders(view, shard)
        if not _enough(view, shard, bidders, needed):
            continue
        for index in cohort.indexes:
            free = [b for b in bidders if load.get(b.node, 0) < b.bid.free]
            if len(free) < needed or len(awards) >= policy.round_items_max:
                break
            free.sort(key=lambda b: (b.tried, load.get(b.node, 0) / max(1, b.bid.width), b.rank))
            for number, bidder in enumerate(free[:needed]):
                awards.append(Award(index, len(shard.executions) + number, bidder.node))
                load[bidder.node] = load.get(bidder.node, 0) + 1
                turns = max(turns, 1 + bidder.bid.free // max(1, bidder.bid.width))
                if load[bidder.node] >= room.get(bidder.node, 0):
                    room.pop(bidder.node, None)
    return awards, view.now_ms + policy.run_grace_ms + job.spec.timeout_ms * turns


def has_room(job: Job) -> bool:
    """Whether a node has room for a good part of what it bid for, or no bid stands at all.

    A decision for each place that falls free would cost a job messages by shards, not by rounds.
    Nodes bid for more than they run at one time, so a quarter is asked for before they are idle;
    a patrol fills up the rest.
    """
    load = job.load
    bids = [(node, bid) for offer in job.offers for node, bid in offer.bids.items()]
    return not bids or any(4 * load.get(node, 0) <= 3 * bid.free for node, bid in bids)


def _room(job: Job, load: dict[str, int]) -> dict[str, int]:
    """Return the nodes that still take executions of this job, with how many at one time."""
    room: dict[str, int] = {}
    for offer in job.offers:
        for node, bid in offer.bids.items():
            if load.get(node, 0) < bid.free:
                room[node] = max(room.get(node, 0), bid.free)
    return room


def _bidders(view: View, shard: Shard) -> list[_Bidder]:
    """Return the standing bids for a shard, one a node, without nodes that hold it already."""
    holding = {e.node for e in shard.executions if e.state in BUSY or e.state in COMMITTED}
    tried = {e.node for e in shard.executions} - holding
    found: dict[str, _Bidder] = {}
    members = view.nodes.members
    for number in reversed(shard.offers):
        offer = view.job.offers[number]
        for node, bid in offer.bids.items():
            if node in holding or node in found:
                continue
            member = members.get(node)
            if member is None or member.state != "live":
                continue
            found[node] = _Bidder(node, offer.nodes.index(node), bid, node in tried)
    return list(found.values())


def _ripe(offer: OfferState, now_ms: int) -> bool:
    return offer.answered or now_ms >= offer.until_ms


def _enough(view: View, shard: Shard, bidders: list[_Bidder], needed: int) -> bool:
    """Whether to award now: bids enough, and all who were asked have answered or had the time."""
    if len(bidders) < needed:
        return False
    if shard.executions:
        return any(not bidder.tried for bidder in bidders) or _asked_all(view, shard)
    offers = view.job.offers
    if not all(_ripe(offers[number], view.now_ms) for number in shard.offers):
        return False
    return len(bidders) >= view.job.spec.deal.min_bids


def _asked_all(view: View, shard: Shard) -> bool:
    """Whether every node that can run the shard has been asked for it."""
    offers = view.job.offers
    names = {node for number in shard.offers for node in offers[number].nodes}
    return all(node.name in names for node in eligible(view))


def _offers(view: View, waiting: list[Cohort]) -> Append | WakeAt | None:
    """Make offers for shards whose bids are used up, grouped by what they were offered before."""
    job, policy = view.job, view.policy
    groups: dict[tuple[tuple[int, ...], tuple[str, ...]], list[Cohort]] = {}
    wake_ms = 0
    for cohort in waiting:
        shard = cohort.shard
        if not attempts_left(view, shard):
            continue
        open_offers = [n for n in shard.offers if not _ripe(job.offers[n], view.now_ms)]
        if open_offers:
            wake_ms = _sooner(wake_ms, min(job.offers[n].until_ms for n in open_offers))
            continue
        needed = job.spec.deal.replicas - cohort.held
        bidders = _bidders(view, shard)
        many = len(bidders) >= max(needed, job.spec.deal.min_bids)
        if many and _enough(view, shard, bidders, needed):
            continue
        holding = tuple(
            sorted(e.node for e in shard.executions if e.state in BUSY or e.state in COMMITTED)
        )
        groups.setdefault((tuple(shard.offers), holding), []).append(cohort)
    able = eligible(view) if groups else []
    offers: list[Offer] = []
    for (numbers, holding), members in groups.items():
        if len(offers) >= policy.round_items_max:
            break
        offer, later_ms = _next_offer(view, able, numbers, holding, members)
        if offer is not None:
            offers.append(offer)
        wake_ms = _sooner(wake_ms, later_ms)
    if offers:
        return append(
            view,
            ShardsOffered,
            ShardsOfferedData,
            offers=one_round(offers),
            bids_until_ms=view.now_ms + policy.bids_ms,
        )
    return WakeAt(job.id, wake_ms) if wake_ms else None


def _next_offer(
    view: View,
    able: list[Node],
    numbers: tuple[int, ...],
    holding: tuple[str, ...],
    members: list[Cohort],
) -> tuple[Offer | None, int]:
    """Return the next k by fewest askings and best score; after everyone was asked, with a pause.

    The second value is when to look again, 0 for only when something changes.
    """
    job, policy = view.job, view.policy
    candidates = [node for node in able if node.name not in holding]
    needed = min(job.spec.deal.replicas - cohort.held for cohort in members)
    indexes = sorted(index for cohort in members for index in cohort.indexes)
    if len(candidates) < max(1, needed):
        return None, 0
    times: dict[str, int] = {}
    for number in numbers:
        for name in job.offers[number].nodes:
            times[name] = times.get(name, 0) + 1
    rounds = min(times.get(node.name, 0) for node in candidates)
    if rounds and numbers:
        pause_ms = min(policy.offer_backoff_ms << min(rounds - 1, 16), policy.offer_backoff_ms_max)
        due_ms = max(job.offers[number].made_ms for number in numbers) + pause_ms
        if view.now_ms < due_ms:
            return None, due_ms
    key = f"{job.id}/{indexes[0]}"
    names = tuple(by_askings(candidates, job.spec, key, times)[: asked(view, needed)])
    return Offer(_ranges(indexes), names), 0


def _ranges(indexes: list[int]) -> tuple[Range, ...]:
    ranges: list[Range] = []
    for index in indexes:
        if ranges and ranges[-1][1] == index:
            ranges[-1] = (ranges[-1][0], index + 1)
        else:
            ranges.append((index, index + 1))
    return tuple(ranges)


def _sooner(a_ms: int, b_ms: int) -> int:
    return min(a_ms, b_ms) if a_ms and b_ms else a_ms or b_ms
