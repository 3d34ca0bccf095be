"""The closed set of effects: all that a decision can ask the shell to do.

The core returns effects and never performs them. What comes of an effect returns only as an event
on the log. Each is safe to repeat.
"""

import msgspec

from events.codec import AnyEvent
from events.envelope import Data
from events.items import Claim
from node.orders import Orders


class Append(msgspec.Struct, frozen=True):
    """Append one event about `job`; `fence` is the last decision folded, None for an unfenced
    fact. `blobs` are stored before it.
    """

    job: str
    kind: type[AnyEvent]
    data: Data
    cause: str
    fence: int | None = None
    blobs: tuple[bytes, ...] = ()


class Command(msgspec.Struct, frozen=True):
    """Send orders to a node. A `nudge` repeats what the node owes and is paced by the shell."""

    node: str
    orders: Orders
    nudge: bool = False


class ListInputs(msgspec.Struct, frozen=True):
    """List the remote inputs of a job on this node."""

    job: str


class Stop(msgspec.Struct, frozen=True):
    """Stop an execution and forget what it came to."""

    job: str
    shard: int
    attempt: int


class Publish(msgspec.Struct, frozen=True):
    """Publish an execution's result to a slot, or with `lookup` ask whether it is there."""

    job: str
    shard: int
    slot: int
    attempt: int
    assignment: str
    fence: int
    paid: bool
    lookup: bool
    claim: Claim | None = None


class PublishRoot(msgspec.Struct, frozen=True):
    """Publish the job's root, which is in the blob store, to a slot."""

    job: str
    slot: int


class WakeAt(msgspec.Struct, frozen=True):
    """Decide about the job again at this time, even if nothing happens before."""

    job: str
    ms: int


Effect = Append | Command | ListInputs | Stop | Publish | PublishRoot | WakeAt
