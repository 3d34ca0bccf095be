"""Nodes: what they can do, what they have in hand, and where a job falls among them."""

from node.web.api.documents import AsOf, Document
from projections.nodes import NodeState
from projections.state import ExecutionState, SlotState


class Member(Document, frozen=True):
    """What every node has to say of itself, and how its claims were judged."""

    name: str
    state: NodeState
    roles: list[str]
    engines: list[str]
    publishers: list[str]
    credentials: list[str]
    cpu: float
    memory_bytes: int
    disk_bytes: int
    gpu: int
    width: int
    labels: dict[str, str]
    data: list[str]
    version: str
    incarnation: str
    joined_at: str
    quarantined: bool
    quarantined_until: str | None
    reason: str | None
    agreed: int
    differed: int


class Bidding(Document, frozen=True):
    """A node's answers to the offers of jobs that are open, and what became of its bids."""

    placed: int
    won: int
    lost: int
    declined: int


class FailureCounts(Document, frozen=True):
    """How many executions of open jobs a node failed, lost, or had rejected."""

    failed: int
    lost: int
    rejected: int


class Record(Document, frozen=True):
    """How a node fared in the jobs that have ended: those it bid for and was given a part of, or
    not, those it only declined, and how many executions it failed or was lost with.
    """

    won: int
    lost: int
    declined: int
    failed: int


class NodeRow(Member, frozen=True):
    """One node as a line of a list; `executions` counts what it has in hand.

    `bids` and `failures` are of the open jobs, `record` of those that have ended.
    """

    executions: int
    bids: Bidding
    failures: FailureCounts
    record: Record


class NodeList(AsOf, frozen=True):
    """All nodes, by name."""

    nodes: list[NodeRow]


class HeldExecution(Document, frozen=True):
    """An execution that a node has in hand, and its deadline."""

    id: str
    job: str
    state: ExecutionState
    awarded_at: str
    until: str


class HeldSlot(Document, frozen=True):
    """A publication that a node has in hand."""

    job: str
    shard: int
    publisher: str
    state: SlotState
    until: str


class Unanswered(Document, frozen=True):
    """An offer that a node has yet to answer."""

    job: str
    offer: int
    until: str


class FailedExecution(Document, frozen=True):
    """An execution of an open job that the node failed, lost, or had rejected."""

    id: str
    job: str
    state: ExecutionState
    reason: str | None


class NodeDocument(Member, frozen=True):
    """One node: what it is, what it has in hand, and how it fared in the jobs that are open."""

    position: int
    time: str | None
    executions: list[HeldExecution]
    publishing: list[HeldSlot]
    unanswered: list[Unanswered]
    bids: Bidding
    failures: list[FailedExecution]
    record: Record


class RingNode(Document, frozen=True):
    """A node on the ring: its share by weight, and for a job its score, rank and why it is out."""

    name: str
    state: NodeState
    weight: float
    score: float | None
    rank: int | None
    refusal: str | None


class RingDocument(AsOf, frozen=True):
    """The compute nodes as a job's shard is first offered to them, of which the first are asked."""

    job: str | None
    shard: int | None
    asked: int | None
    nodes: list[RingNode]


class Draining(Document, frozen=True):
    """A node that takes no new work from here on; `position` is where it said so."""

    name: str
    state: NodeState
    position: int
