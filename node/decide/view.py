"""What a decision about one job looks at, and how it is written down."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from events.codec import AnyEvent
from events.items import Item
from node.effects import Append
from node.policy import Policy
from projections.nodes import Nodes
from projections.state import Job, Shard

ROUND_BYTES_MAX = 240 * 1024
"""The items of a decision; with its envelope an event stays below 256 KiB."""

AnyItem = TypeVar("AnyItem", bound=Item)
_encode = msgspec.json.Encoder().encode


class View(NamedTuple):
    """One job and the nodes, as folded; the time; the rules.

    `patrol` also looks for what did not happen: deadlines, lost nodes, answers that are owed.
    """

    job: Job
    nodes: Nodes
    now_ms: int
    policy: Policy
    patrol: bool = False


def one_round(items: Sequence[AnyItem]) -> tuple[AnyItem, ...]:
    """Return as many of the first items as one event holds, at least one.

    What is left out is due again when this round has been folded.
    """
    room_bytes = ROUND_BYTES_MAX
    for number, item in enumerate(items):
        room_bytes -= len(_encode(item))
        if room_bytes < 0 and number:
            return tuple(items[:number])
    return tuple(items)


def append(
    view: View,
    kind: type[AnyEvent],
    data: Any,
    *,
    blobs: tuple[bytes, ...] = (),
    **fields: Any,
) -> Append:
    """Return the effect that appends a decision under the job's fence.

    `data` is the type of the event's data; `fields` are the decision's own, without what every
    decision records.
    """
    job = view.job
    made = {"seen": job.seen, "seal": job.seal.hex(), "policy": view.policy.version}
    return Append(
        job=job.id,
        kind=kind,
        data=data(**made, members=view.nodes.seen, **fields),
        cause=job.last_event,
        fence=job.fence,
        blobs=blobs,
    )


def attempts_left(view: View, shard: Shard) -> bool:
    """Whether the shard may have one more execution."""
    return len(shard.executions) < view.job.spec.deal.replicas + view.policy.retries_max
