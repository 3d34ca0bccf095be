"""Fold what places a shard: the plan, offers, bids and awards."""

from events.decisions import JobPlanned, ShardsAwarded, ShardsOffered
from events.facts import BidsDeclined, BidsPlaced, InputsListed
from events.items import Offer
from events.spec import SHARDS_MAX
from projections.evolve.publishing import move_slot
from projections.evolve.step import Step, settle
from projections.state import OPEN, Execution, Job, OfferState, Shard, Slot


def inputs_listed(step: Step, event: InputsListed) -> None:
    """Take the listings of remote inputs; the first word counts."""
    job = step.job
    if job.listed or job.listing_error:
        step.late()
        return
    data = event.data
    if data.error:
        job.listing_error = data.error
        return
    if len(data.inputs) != len(job.inputs):
        step.illegal("inputs.listed", job.state, "it has another number of inputs than the job")
        return
    job.inputs = [
        old if old is not None else new for old, new in zip(job.inputs, data.inputs, strict=True)
    ]


def job_planned(step: Step, event: JobPlanned) -> None:
    """Make the shards, and the first offers."""
    job, data = step.job, event.data
    if not 1 <= data.shards <= SHARDS_MAX:
        step.illegal("job.planned", job.state, f"{data.shards} shards are out of bounds")
        return
    job.state = "running"
    job.deadline_ms = data.deadline_ms
    job.shards = [Shard() for _ in range(data.shards)]
    job.placing.update(range(data.shards))
    _offer(step, data.offers, step.entry.time_ms, data.bids_until_ms)


def shards_offered(step: Step, event: ShardsOffered) -> None:
    """Add offers to those that the job has made."""
    _offer(step, event.data.offers, step.entry.time_ms, event.data.bids_until_ms)


def _offer(step: Step, offers: tuple[Offer, ...], made_ms: int, until_ms: int) -> None:
    job = step.job
    for offer in offers:
        number = len(job.offers)
        step.did("offer", "made", number)
        ranges = tuple(r for r in offer.shards if 0 <= r[0] < r[1] <= len(job.shards))
        if len(ranges) < len(offer.shards):
            step.illegal(f"offer {number}", job.state, "it is of shards that there are not")
        job.offers.append(
            OfferState(
                decision=step.entry.event.id,
                shards=ranges,
                nodes=offer.nodes,
                made_ms=made_ms,
                until_ms=until_ms,
            )
        )
        for start, stop in ranges:
            for index in range(start, stop):
                shard = step.shard(index, "offered")
                if shard is not None:
                    shard.offers.append(number)
                    settle(step, index, shard)


def bids_placed(step: Step, event: BidsPlaced) -> None:
    """Note who would run what."""
    for bid in event.data.bids:
        offer = _answered(step, bid.offer, "bid")
        if offer is not None:
            offer.bids[step.author] = bid
            step.did("bid", "placed", bid.offer)


def bids_declined(step: Step, event: BidsDeclined) -> None:
    """Note who would not, and why."""
    for decline in event.data.declines:
        offer = _answered(step, decline.offer, "decline")
        if offer is not None:
            offer.declines[step.author] = decline
            step.did("bid", "declined", decline.offer)


def _answered(step: Step, number: int, item: str) -> OfferState | None:
    job = step.job
    if not 0 <= number < len(job.offers):
        step.illegal(f"offer {number} {item}", job.state, "there is no such offer")
        return None
    offer = job.offers[number]
    if step.author not in offer.nodes:
        step.illegal(f"offer {number} {item}", job.state, "it was not made to this node")
        return None
    if step.author in offer.bids or step.author in offer.declines:
        step.late()
        return None
    return offer


def shards_awarded(step: Step, event: ShardsAwarded) -> None:
    """Make executions. Accepted plus open never exceed the replicas, each on a node of its own."""
    job, data = step.job, event.data
    awarded_ms = step.entry.time_ms
    for award in data.awards:
        shard = step.shard(award.shard, "awarded")
        if shard is None:
            continue
        why = ""
        open_nodes = [e.node for e in shard.executions if e.state in OPEN or e.state == "accepted"]
        if award.attempt != len(shard.executions):
            why = f"the next attempt is {len(shard.executions)}"
        elif len(open_nodes) >= job.spec.deal.replicas:
            why = "the deal's replicas are all placed"
        elif award.node in open_nodes:
            why = "the node already runs a replica of this shard"
        elif data.publish and not _may_publish(job, data.publish):
            why = "it assigns slots that an award may not"
        if why:
            step.illegal(f"shard {award.shard} awarded to {award.node}", shard.state, why)
            continue
        shard.executions.append(
            Execution(
                node=award.node,
                position=step.entry.position,
                awarded_ms=awarded_ms,
                until_ms=data.until_ms,
            )
        )
        job.load[award.node] = job.load.get(award.node, 0) + 1
        if step.moves is not None:
            step.moves.append(("execution", "awarded", award.shard, "", "awarded", ""))
        for number in data.publish:
            slot = shard.slots.setdefault(number, Slot())
            if not move_slot(step, award.shard, number, slot, "assigned"):
                continue
            slot.attempt = award.attempt
            slot.assignees.append(award.attempt)
            slot.assigned_ms = awarded_ms
            slot.until_ms = data.publish_until_ms
            slot.decision = event.id
        settle(step, award.shard, shard)


def _may_publish(job: Job, slots: tuple[int, ...]) -> bool:
    """Only an execution whose result is its own verdict is told to publish before it has run."""
    return job.spec.fused and all(0 <= slot < len(job.spec.publishers) for slot in slots)
