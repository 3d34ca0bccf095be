"""Prove the plan, the offers and the awards from the listing, the nodes and the bids.

How many are asked is policy. That they are the best ones by the ring is not, and is proved here:
the nodes asked must be the first so many of the order in which all who can run the shard stand.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from events.decisions import JobPlanned, ShardsAwarded, ShardsOffered
from events.errors import InvalidSpec
from events.items import Award, Bid, Offer
from events.sharding import shard_count
from projections.nodes import Node, by_askings, refusal, weight
from projections.ring import top
from projections.state import BUSY, COMMITTED, OPEN, Job, Shard

Wrong = tuple[str, str]
"""What is wrong, and what would have been right."""
Members = Mapping[str, Node]
NAMES_SHOWN_MAX = 8


class Case(NamedTuple):
    """A decision's job and nodes as its author had folded them, and its time."""

    job: Job
    nodes: Members
    now_ms: int


def plan(case: Case, event: JobPlanned) -> Iterator[Wrong]:
    """Find what is wrong with a plan and its first offers."""
    job, data = case.job, event.data
    if job.state != "submitted":
        return
    counts = [listing.count if listing is not None else 0 for listing in job.inputs]
    try:
        shards = shard_count(job.spec, counts)
    except InvalidSpec as error:
        yield f"it plans {data.shards} shards", f"the job cannot be cut: {error.what}"
        return
    if data.shards != shards:
        yield f"it plans {data.shards} shards", f"the spec and its listing make {shards}"
        return
    if not job.listed:
        yield "it plans a job whose inputs are not listed", "inputs.listed comes before"
    if data.deadline_ms > case.now_ms + job.spec.deadline_ms:
        yield "its deadline is later than the job's", f"{job.spec.deadline} from its time on"
    able = _able(case)
    deal = job.spec.deal
    if not data.offers and len(able) >= deal.replicas:
        yield "it offers nothing", f"{len(able)} nodes can run the shards"
    wanted = min(len(able), max(deal.replicas, deal.min_bids))
    weights = [(node.name, weight(node, job.spec)) for node in able]
    groups = len(data.offers)
    for group, offer in enumerate(data.offers):
        start, stop = group * shards // groups, (group + 1) * shards // groups
        if offer.shards != ((start, stop),):
            yield (
                f"offer {group} is of shards {offer.shards}",
                f"group {group} is {start} to {stop}",
            )
            continue
        best = top(weights, f"{job.id}/{start}", len(offer.nodes))
        if list(offer.nodes) != best or len(best) < wanted:
            yield _misplaced(group, offer, best or [name for name, _ in weights])


def offers(case: Case, event: ShardsOffered) -> Iterator[Wrong]:
    """Find what is wrong with further offers."""
    job = case.job
    able = _able(case)
    for number, offer in enumerate(event.data.offers, len(job.offers)):
        shard = _first(job, offer)
        if shard is None:
            continue
        holding = {e.node for e in shard.executions if e.state in BUSY or e.state in COMMITTED}
        if len(holding) >= job.spec.deal.replicas:
            yield f"offer {number} is of a shard that is placed", "no offer while all replicas run"
        times: dict[str, int] = {}
        for before in shard.offers:
            for name in job.offers[before].nodes:
                times[name] = times.get(name, 0) + 1
        candidates = [node for node in able if node.name not in holding]
        key = f"{job.id}/{offer.shards[0][0]}"
        best = by_askings(candidates, job.spec, key, times)
        if not offer.nodes or list(offer.nodes) != best[: len(offer.nodes)]:
            yield _misplaced(number, offer, best[: max(1, len(offer.nodes))])


def awards(case: Case, event: ShardsAwarded) -> Iterator[Wrong]:
    """Find what is wrong with awards: each needs an offer, a bid with room, and a live node."""
    job = case.job
    load = dict(job.load)
    given: dict[int, list[str]] = {}
    for award in event.data.awards:
        if not 0 <= award.shard < len(job.shards):
            continue
        shard = job.shards[award.shard]
        new = given.setdefault(award.shard, [])
        yield from _award(case, award, shard, new, load.get(award.node, 0))
        new.append(award.node)
        load[award.node] = load.get(award.node, 0) + 1


def _award(case: Case, award: Award, shard: Shard, new: list[str], load: int) -> Iterator[Wrong]:
    name = f"shard {award.shard} is awarded to {award.node}"
    bid = _bid(case.job, shard, award.node)
    taken = [e.node for e in shard.executions if e.state in OPEN or e.state == "accepted"] + new
    if not any(award.node in case.job.offers[number].nodes for number in shard.offers):
        yield f"{name}, which was not asked", "an award goes to a node that its offer named"
    elif bid is None:
        yield f"{name}, which did not bid", "an award goes to a node that has bid"
    elif load >= bid.free:
        yield f"{name}, which has {load}", f"its bid is for {bid.free} at one time"
    if award.node in taken:
        yield f"{name}, which has a replica of it", "replicas are on distinct nodes"
    elif len(taken) >= case.job.spec.deal.replicas:
        yield f"{name} as one too many", f"the deal is for {case.job.spec.deal.replicas}"
    if award.attempt != len(shard.executions) + len(new):
        yield f"{name} as {award.attempt}", f"attempt {len(shard.executions) + len(new)} is next"
    node = case.nodes.get(award.node)
    if node is None or node.state != "live":
        yield f"{name}, which is {node.state if node else 'unknown'}", "the node is a live member"


def _bid(job: Job, shard: Shard, node: str) -> Bid | None:
    """Return the bid of a node that stands for a shard: its latest."""
    for number in reversed(shard.offers):
        bid = job.offers[number].bids.get(node)
        if bid is not None:
            return bid
    return None


def _able(case: Case) -> list[Node]:
    spec, now_ms = case.job.spec, case.now_ms
    return [node for node in case.nodes.values() if not refusal(node, spec, now_ms)]


def _first(job: Job, offer: Offer) -> Shard | None:
    """Return the shard by which the ring ranks an offer; the fold tells when there is none."""
    if not offer.shards or not 0 <= offer.shards[0][0] < len(job.shards):
        return None
    return job.shards[offer.shards[0][0]]


def _misplaced(number: int, offer: Offer, best: list[str]) -> Wrong:
    return f"offer {number} asks {_names(offer.nodes)}", f"the ring asks {_names(best)}"


def _names(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN_MAX} more" if len(names) > NAMES_SHOWN_MAX else ""
    return (", ".join(names[:NAMES_SHOWN_MAX]) or "nobody") + more
