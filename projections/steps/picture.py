"""What one event may change, as plain values: taken before and after it, to be compared.

An event names its shards and offers, so a picture costs what the event names and not what the job
holds. The two exceptions come once a job: its plan, of which the picture has the offers and the
number of shards alone, and its end, which cancels what is open.
"""

from collections.abc import Iterator
from typing import NamedTuple

from events.codec import AnyEvent
from events.decisions import JobCancelled, JobFailed, JobPlanned, ResultsJudged
from events.entry import Entry
from events.items import Offer
from events.times import rfc3339
from projections.network import Network
from projections.nodes import Node
from projections.state import TERMINAL, Execution, Job, OfferState, RootSlot, Shard, Slot

Value = str | int | bool | None
Fields = dict[str, Value]


class Part(NamedTuple):
    """Something that has a state; `node` is the node that has it in hand, if there is one.

    `name` is `3` for a shard, `3-0` for an execution and `3/1` for the shard's publication by the
    job's publisher 1; of a job, a node or an offer it is the id, name or number.
    """

    what: str
    name: str
    node: str = ""


Picture = dict[Part, Fields]


class Scope(NamedTuple):
    """The shards, offers and nodes that an event may change; taken before it is folded."""

    shards: tuple[int, ...] = ()
    offers: tuple[int, ...] = ()
    nodes: tuple[str, ...] = ()


def scope_of(entry: Entry, network: Network) -> Scope:
    """Return what a message that comes next may change besides its job."""
    found = [_scope_of(part, network) for part in entry.parts()]
    return Scope(
        tuple(dict.fromkeys(shard for scope in found for shard in scope.shards)),
        tuple(dict.fromkeys(offer for scope in found for offer in scope.offers)),
        tuple(dict.fromkeys(node for scope in found for node in scope.nodes)),
    )


def _scope_of(entry: Entry, network: Network) -> Scope:
    job = network.jobs.get(entry.address.job)
    event = entry.event
    if job is None:
        node = getattr(event.data, "node", None)
        return Scope(nodes=(node if isinstance(node, str) else entry.address.author,))
    if isinstance(event, JobCancelled | JobFailed):
        shards = [index for index, s in enumerate(job.shards) if s.state not in TERMINAL]
        return Scope(tuple(shards))
    shards = list(dict.fromkeys(named_shards(event, len(job.shards))))
    nodes: dict[str, None] = {}
    if isinstance(event, ResultsJudged):
        executions = (e for index in shards for e in job.shards[index].executions)
        nodes = dict.fromkeys(execution.node for execution in executions)
    return Scope(tuple(shards), tuple(_named_offers(event, len(job.offers))), tuple(nodes))


def named_shards(event: AnyEvent, count: int) -> Iterator[int]:
    """Yield the shards, of `count`, that an event has items about; a plan names none."""
    if isinstance(event, JobPlanned):
        return
    for item in items(event):
        if isinstance(item, Offer):
            for start, stop in item.shards:
                yield from range(max(0, start), min(stop, count))
        elif isinstance(shard := getattr(item, "shard", None), int) and 0 <= shard < count:
            yield shard


def _named_offers(event: AnyEvent, made: int) -> Iterator[int]:
    for item in items(event):
        if isinstance(item, Offer):
            yield made
            made += 1
        elif isinstance(number := getattr(item, "offer", None), int):
            yield number


def items(event: AnyEvent) -> Iterator[object]:
    """Yield all that an event lists."""
    data = event.data
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if isinstance(value, tuple):
            yield from value


def picture(network: Network, job_id: str, scope: Scope) -> Picture:
    """Return the parts of a job, and the nodes, that are in a scope, as they are now."""
    parts: Picture = {}
    job = network.jobs.get(job_id)
    if job is not None:
        parts[Part("job", job.id)] = _job(job)
        for number in scope.offers:
            if 0 <= number < len(job.offers):
                _add_offer(parts, number, job.offers[number])
        for index in scope.shards:
            if index < len(job.shards):
                _add_shard(parts, job, index, job.shards[index])
        for number, root in job.roots.items():
            parts[Part("root", str(number))] = _root(root)
    for name in scope.nodes:
        node = network.nodes.members.get(name)
        if node is not None:
            parts[Part("node", name, name)] = _node(node)
    return parts


def _job(job: Job) -> Fields:
    """Return the job's own fields, and its counters by the words of `lota replay`."""
    fields: Fields = {
        "state": job.state,
        "shards": len(job.shards),
        "inputs listed": sum(listing is not None for listing in job.inputs),
        "listing error": job.listing_error or None,
        "deadline": _time(job.deadline_ms),
        "cancel asked": job.cancel_asked,
        "reason": f"{job.code}: {job.reason}" if job.code else None,
        "exit code": job.exit_code,
        "root": job.root_cid or None,
        "closed": job.closed,
        "wait for a node": len(job.placing),
        "wait for a verdict": len(job.judging),
        "wait to be published": len(job.publishing),
    }
    for state, count in job.counts.items():
        fields[f"shards {state}"] = count
    for node, count in job.load.items():
        fields[f"open on {node}"] = count
    return fields


def _add_offer(parts: Picture, number: int, offer: OfferState) -> None:
    ranges = ", ".join(f"{start}-{stop - 1}" for start, stop in offer.shards)
    parts[Part("offer", str(number))] = {
        "state": "made",
        "shards": ranges,
        "nodes": ", ".join(offer.nodes),
        "until": _time(offer.until_ms),
    }
    for node, bid in offer.bids.items():
        answer: Fields = {"state": "bid", "free": bid.free, "width": bid.width}
        parts[Part("answer", str(number), node)] = answer
    for node, decline in offer.declines.items():
        parts[Part("answer", str(number), node)] = {
            "state": "declined",
            "reason": f"{decline.code}: {decline.message}",
        }


def _add_shard(parts: Picture, job: Job, index: int, shard: Shard) -> None:
    verdict = shard.verdict
    parts[Part("shard", str(index))] = {
        "state": shard.state,
        "verdict": verdict.result if verdict is not None else None,
        "reason": f"{shard.code}: {shard.reason}" if shard.code else None,
        "reveals until": _time(shard.reveal_until_ms),
    }
    for attempt, execution in enumerate(shard.executions):
        part = Part("execution", f"{index}-{attempt}", execution.node)
        parts[part] = _execution(execution)
    for number, slot in shard.slots.items():
        held = 0 <= slot.attempt < len(shard.executions)
        node = shard.executions[slot.attempt].node if held else ""
        part = Part("publication", f"{index}/{number}")
        parts[part] = _slot(slot, job.spec.publishers[number].driver, node)


def _execution(execution: Execution) -> Fields:
    claim = execution.claim
    return {
        "state": execution.state,
        "until": _time(execution.until_ms),
        "asked to reveal": execution.asked,
        "exit code": claim.exit_code if claim is not None else None,
        "cid": claim.cid if claim is not None else None,
        "reason": execution.reason or None,
        "ended": execution.ended,
    }


def _slot(slot: Slot, driver: str, node: str) -> Fields:
    return {
        "state": slot.state,
        "publisher": driver,
        "node": node or None,
        "tries": slot.tries,
        "until": _time(slot.until_ms),
        "copies": len(slot.copies),
        "reason": slot.reason or None,
    }


def _root(root: RootSlot) -> Fields:
    return {
        "state": root.state,
        "node": root.node or None,
        "until": _time(root.until_ms),
        "tries": root.tries,
        "uri": root.uri or None,
        "reason": root.reason or None,
    }


def _node(node: Node) -> Fields:
    quarantined = node.quarantined_until_ms
    return {
        "state": node.state,
        "incarnation": node.incarnation,
        "agreed": node.agreed,
        "differed": node.differed,
        "quarantined until": "further notice" if quarantined == 0 else _time(quarantined or 0),
        "reason": node.reason or None,
    }


def _time(ms: int) -> str | None:
    return rfc3339(ms) if ms else None
