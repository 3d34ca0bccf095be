"""Orders: what a node owes a job, as the fold of the job says.

They go to `lota.cmd.<node>` as core NATS messages. They are no events: all of it stands in the
log, so a lost message loses nothing. A requester sends what a decision it has folded adds
(`fresh`), and repeats all that a node still owes (`owed`) while the answer is missing. A node that
starts, reconnects or doubts folds the job itself and comes to the same orders by the same function.
"""

from collections.abc import Iterable, Iterator

import msgspec

from events.codec import AnyEvent
from events.decisions import (
    ExecutionsLost,
    JobCancelled,
    JobClosed,
    JobCompleted,
    JobFailed,
    JobPlanned,
    PublicationsAssigned,
    ResultsJudged,
    RevealsRequested,
    ShardsAwarded,
    ShardsFailed,
    ShardsOffered,
)
from events.entry import Entry
from events.items import Listing
from events.spec import JobSpec
from projections.state import BUSY, TERMINAL, Execution, Job, Shard, Slot

ITEMS_MAX = 1_000


class _Wire(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The base of what goes over the wire."""


class OfferOrder(_Wire, frozen=True):
    """Bid for this offer, or decline."""

    offer: int


class RunOrder(_Wire, frozen=True):
    """Run this execution; with `publish`, also publish its clean result to these slots."""

    shard: int
    attempt: int
    publish: tuple[int, ...] = ()


class ExecutionOrder(_Wire, frozen=True):
    """Reveal, or stop, this execution."""

    shard: int
    attempt: int


class PublishOrder(_Wire, frozen=True):
    """Publish this execution's result to this slot by the named decision.

    With `lookup` only ask the service; `begun` says that it was this node that had begun to pay.
    """

    shard: int
    slot: int
    attempt: int
    decision: str
    lookup: bool = False
    begun: bool = False


class RootOrder(_Wire, frozen=True):
    """Publish the job's root, the CAR that is this blob, to this slot by the named decision."""

    slot: int
    shard: int
    attempt: int
    decision: str
    cid: str
    blob: str


class Orders(_Wire, frozen=True):
    """All that one message tells a node about one job.

    `fence` is the log position of the last decision folded. The spec and what belongs to it are
    there whenever the node may not know the job yet. `complete` is for orders that a node made
    itself by reading the log: there is nothing else that it owes, but for what a decision may say
    that only a newer version of Lota knows; `held` names it. `closed` says that the job needs
    nothing of this node any more. `drain` is no matter of a job: this life of the node is to take
    no new work.
    """

    job: str
    fence: int
    decision: str
    spec: JobSpec | None = None
    inputs: tuple[Listing | None, ...] = ()
    shards: int = 0
    traceparent: str = ""
    list_inputs: bool = False
    offers: tuple[OfferOrder, ...] = ()
    run: tuple[RunOrder, ...] = ()
    reveal: tuple[ExecutionOrder, ...] = ()
    publish: tuple[PublishOrder, ...] = ()
    roots: tuple[RootOrder, ...] = ()
    stop: tuple[ExecutionOrder, ...] = ()
    complete: bool = False
    held: str = ""
    closed: bool = False
    drain: str = ""

    def with_job(self, job: Job) -> "Orders":
        """Return the orders with all that a node needs to know of the job."""
        return msgspec.structs.replace(
            self,
            spec=job.spec,
            inputs=tuple(job.inputs),
            shards=len(job.shards),
            traceparent=job.traceparent,
        )


class _Draft:
    """Orders being gathered, per node."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.parts: dict[str, dict[str, list[_Wire]]] = {}

    def add(self, node: str, part: str, item: _Wire) -> None:
        self.parts.setdefault(node, {}).setdefault(part, []).append(item)

    def orders(self, *, introduce: bool, closed: bool = False) -> dict[str, Orders]:
        """Return the orders of each node that has any."""
        result: dict[str, Orders] = {}
        for node, parts in self.parts.items():
            orders = Orders(
                job=self.job.id,
                fence=self.job.fence,
                decision=self.job.last_decision,
                closed=closed,
                **{name: tuple(items) for name, items in parts.items()},  # type: ignore[arg-type]
            )
            result[node] = orders.with_job(self.job) if introduce else orders
        return result


def fresh(job: Job, entry: Entry) -> dict[str, Orders]:
    """Return, per node, what the decision that was just folded asks of it."""
    event = entry.event
    if isinstance(event, JobCompleted | JobFailed | JobCancelled | JobClosed):
        return _released(job)
    draft = _Draft(job)
    match event:
        case JobPlanned() | ShardsOffered():
            for number, offer in enumerate(job.offers):
                if offer.decision == event.id:
                    for node in offer.nodes:
                        draft.add(node, "offers", OfferOrder(number))
        case ShardsAwarded():
            for award in event.data.awards:
                execution = _execution(job, award.shard, award.attempt)
                if execution is not None and execution.node == award.node:
                    order = RunOrder(award.shard, award.attempt, event.data.publish)
                    draft.add(award.node, "run", order)
        case ExecutionsLost():
            _stops(draft, ((item.shard, item.attempt) for item in event.data.lost))
        case RevealsRequested():
            _reveals(draft, ((item.shard, item.attempt) for item in event.data.executions))
        case ShardsFailed():
            for failure in event.data.shards:
                _stops(draft, _attempts(job, failure.shard))
        case _:
            for shard, slot in _slots_named(event):
                _assigned(draft, shard, {slot})
            if isinstance(event, PublicationsAssigned) and event.data.roots:
                _roots(draft)
    return draft.orders(introduce=isinstance(event, JobPlanned | ShardsOffered))


def _slots_named(event: AnyEvent) -> Iterator[tuple[int, int]]:
    match event:
        case ResultsJudged():
            for judgement in event.data.judgements:
                for given in judgement.publish:
                    yield judgement.shard, given.slot
        case PublicationsAssigned():
            for assignment in event.data.assignments:
                yield assignment.shard, assignment.slot
        case _:
            pass


def owed(job: Job) -> dict[str, Orders]:
    """Return, per node, everything that it owes the job now."""
    if job.state in TERMINAL:
        return _released(job)
    draft = _Draft(job)
    for number, offer in enumerate(job.offers):
        if any(_wants(job, start, stop) for start, stop in offer.shards):
            for node in offer.nodes:
                if node not in offer.bids and node not in offer.declines:
                    draft.add(node, "offers", OfferOrder(number))
    for index, shard in enumerate(job.shards):
        for attempt, execution in enumerate(shard.executions):
            if execution.state in BUSY:
                draft.add(execution.node, "run", RunOrder(index, attempt, _fused(shard, attempt)))
            elif execution.asked and execution.state == "proposed":
                draft.add(execution.node, "reveal", ExecutionOrder(index, attempt))
            elif execution.state in ("lost", "cancelled") and not execution.ended:
                draft.add(execution.node, "stop", ExecutionOrder(index, attempt))
        if shard.state == "publishing":
            _assigned(draft, index, set(shard.slots))
    _roots(draft)
    return {node: _bounded(orders) for node, orders in draft.orders(introduce=True).items()}


def all_owed(job: Job, node: str) -> Orders:
    """Return everything that a node owes a job that it has just folded from the log itself."""
    if job.state in TERMINAL:
        return Orders(job=job.id, fence=job.fence, decision=job.last_decision, closed=True)
    orders = owed(job).get(node)
    if orders is None:
        orders = Orders(job=job.id, fence=job.fence, decision=job.last_decision).with_job(job)
    return msgspec.structs.replace(orders, complete=True, held=job.held)


def _bounded(orders: Orders) -> Orders:
    """Cut orders to what fits one message; the rest is owed again next time."""
    return msgspec.structs.replace(
        orders,
        run=orders.run[:ITEMS_MAX],
        reveal=orders.reveal[:ITEMS_MAX],
        publish=orders.publish[:ITEMS_MAX],
        stop=orders.stop[:ITEMS_MAX],
    )


def _released(job: Job) -> dict[str, Orders]:
    """Tell everyone who bid or ran that the job is over; whatever they still run is to stop."""
    nodes = {execution.node for shard in job.shards for execution in shard.executions}
    for offer in job.offers:
        nodes.update(offer.bids)
    orders = Orders(job=job.id, fence=job.fence, decision=job.last_decision, closed=True)
    return dict.fromkeys(sorted(nodes), orders)


def _wants(job: Job, start: int, stop: int) -> bool:
    return any(index in job.placing for index in range(start, stop))


def _execution(job: Job, index: int, attempt: int) -> Execution | None:
    if not 0 <= index < len(job.shards):
        return None
    executions = job.shards[index].executions
    return executions[attempt] if 0 <= attempt < len(executions) else None


def _attempts(job: Job, index: int) -> Iterator[tuple[int, int]]:
    if 0 <= index < len(job.shards):
        for attempt in range(len(job.shards[index].executions)):
            yield index, attempt


def _stops(draft: _Draft, names: Iterable[tuple[int, int]]) -> None:
    """Stop what a decision closed; a fact that came first may have ended it otherwise."""
    for index, attempt in names:
        execution = _execution(draft.job, index, attempt)
        if execution is not None and execution.state in ("lost", "cancelled"):
            draft.add(execution.node, "stop", ExecutionOrder(index, attempt))


def _reveals(draft: _Draft, names: Iterable[tuple[int, int]]) -> None:
    for index, attempt in names:
        execution = _execution(draft.job, index, attempt)
        if execution is not None:
            draft.add(execution.node, "reveal", ExecutionOrder(index, attempt))


def _assigned(draft: _Draft, index: int, slots: set[int]) -> None:
    if not 0 <= index < len(draft.job.shards):
        return
    shard = draft.job.shards[index]
    for number in sorted(slots):
        slot = shard.slots.get(number)
        if slot is not None and slot.state in ("assigned", "started", "looking"):
            node = shard.executions[slot.attempt].node
            draft.add(node, "publish", _publication(index, number, slot))


def _roots(draft: _Draft) -> None:
    for number, slot in draft.job.roots.items():
        if slot.state == "assigned":
            order = RootOrder(number, slot.shard, slot.attempt, slot.decision, slot.cid, slot.blob)
            draft.add(slot.node, "roots", order)


def _publication(index: int, number: int, slot: Slot) -> PublishOrder:
    """A slot that was begun is only looked up: who has begun to pay must not do it again."""
    lookup = slot.state in ("looking", "started")
    begun = slot.starter == slot.attempt
    return PublishOrder(index, number, slot.attempt, slot.decision, lookup, begun)


def _fused(shard: Shard, attempt: int) -> tuple[int, ...]:
    """Return the slots that a fused award gave to an execution still under way."""
    return tuple(
        number
        for number, slot in sorted(shard.slots.items())
        if slot.state == "assigned" and slot.attempt == attempt
    )
