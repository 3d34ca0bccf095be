"""The state of one job, as a fold of its events makes it.

These structs are mutable so that a job of 100,000 shards costs no copy per event; only
`projections.evolve` changes them. Everything here follows from the log alone.
"""

from typing import Literal

import msgspec

from events.items import Bid, Claim, Decline, Listing, Manifest, Range
from events.seal import EMPTY
from events.spec import JobSpec

JobState = Literal["submitted", "running", "completed", "failed", "cancelled"]
ShardState = Literal[
    "waiting", "offered", "running", "verifying", "publishing", "completed", "failed", "cancelled"
]
ExecutionState = Literal[
    "awarded",
    "running",
    "proposed",
    "revealed",
    "accepted",
    "rejected",
    "failed",
    "lost",
    "cancelled",
]
SlotState = Literal[
    "idle", "assigned", "started", "retry", "revoked", "doubtful", "looking", "published"
]

OPEN: frozenset[ExecutionState] = frozenset({"awarded", "running", "proposed", "revealed"})
COMMITTED: frozenset[ExecutionState] = frozenset({"proposed", "revealed"})
BUSY: frozenset[ExecutionState] = frozenset({"awarded", "running"})
RootState = Literal["none", "assigned", "retry", "published"]
IN_HAND: frozenset[SlotState] = frozenset({"assigned", "started", "looking", "published"})
TERMINAL: frozenset[JobState] = frozenset({"completed", "failed", "cancelled"})
STORIES_MAX = 20
RECENT_MAX = 5


class Mutable(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """The base of the fold's state: a tree without cycles, so the collector need not walk it.

    Most fields of a large job have their default; snapshots leave those out.
    """


class Execution(Mutable):
    """One node's attempt at one shard.

    Times are the requester's, from its decisions; `position` is the award's place in the log, to
    tell whether the node has joined again since.
    """

    node: str
    position: int
    awarded_ms: int
    until_ms: int
    state: ExecutionState = "awarded"
    commitment: str = ""
    claim: Claim | None = None
    nonce: str = ""
    asked: bool = False
    ended: bool = False
    reason: str = ""


class Copy(Mutable):
    """One published copy of a shard's result."""

    attempt: int
    uri: str
    cid: str
    size_bytes: int
    duration_ms: int


class Slot(Mutable):
    """One of a shard's publications: (job, shard, driver) names the upload, never the node.

    `starter` is the execution whose node began to pay since the slot was last given, or -1, and
    `earlier` are the decisions about it from then on to the one before `decision`.
    """

    state: SlotState = "idle"
    attempt: int = -1
    starter: int = -1
    assigned_ms: int = 0
    until_ms: int = 0
    tries: int = 0
    lookups: int = 0
    decision: str = ""
    earlier: list[str] = []
    assignees: list[int] = []
    given_up: list[int] = []
    copies: list[Copy] = []
    reason: str = ""


class RootSlot(Mutable):
    """The job's root at one of its publishers, given to the node of an execution.

    `blob` is the CAR of its blocks, `nodes` are all that it was given to.
    """

    state: RootState = "none"
    shard: int = -1
    attempt: int = -1
    node: str = ""
    nodes: list[str] = []
    cid: str = ""
    blob: str = ""
    decision: str = ""
    assigned_ms: int = 0
    until_ms: int = 0
    tries: int = 0
    uri: str = ""
    reason: str = ""


class Verdict(Mutable):
    """What was decided about a shard's proposals, with the evidence."""

    result: Literal["accepted", "failed"]
    accepted: list[int]
    rejected: list[int]
    reason: str
    claim: Claim | None


class Shard(Mutable):
    """One slice of the job's input."""

    state: ShardState = "waiting"
    executions: list[Execution] = []
    offers: list[int] = []
    revealing: bool = False
    reveal_until_ms: int = 0
    verdict: Verdict | None = None
    slots: dict[int, Slot] = {}
    code: str = ""
    reason: str = ""


class OfferState(Mutable):
    """One invitation and its answers so far; `decision` is the event that made it."""

    decision: str
    shards: tuple[Range, ...]
    nodes: tuple[str, ...]
    made_ms: int
    until_ms: int
    bids: dict[str, Bid] = {}
    declines: dict[str, Decline] = {}

    @property
    def answered(self) -> bool:
        """Whether all who were asked have said yes or no."""
        return len(self.bids) + len(self.declines) >= len(self.nodes)


class Story(Mutable):
    """An item that was skipped: which, in what state, and what led to it."""

    job: str
    event: str
    kind: str
    author: str
    causation: str
    item: str
    state: str
    why: str
    recent: list[str]


class Skipped(Mutable):
    """Events of one type that only a newer version of Lota knows: how many, and where."""

    type: str
    count: int
    first: int
    last: int


class Job(Mutable):
    """One job.

    `seen` and `seal` cover all its events so far; `fence` is the log position of the last decision
    folded (a matter of this log, never part of an event), `decider` wrote it, and `touched_ms` is
    when; before any decision it is when the client submitted.

    `traceparent` is the span that the job was submitted under, "" if there was none.

    `newer` tells by type what was skipped because only a newer version of Lota knows it. `held`
    names the first decision among it: from there on this fold is not what the job is, so nobody
    decides about it or pays for it by this fold, and such a decision does not move the fence.
    `unjudged` counts items that are illegal by this fold and may follow from what it skipped.

    `placing`, `judging` and `publishing` hold the shards in each stage. Of the last two,
    `verdict_due` and `publish_due` name those that something can be decided about now; the others
    wait for a fact or a deadline, and a job may have 100,000 of them.
    """

    id: str
    spec: JobSpec
    digest: str
    inputs: list[Listing | None]
    submitted_at: str
    gateway: str
    traceparent: str = ""
    state: JobState = "submitted"
    seen: int = 0
    seal: bytes = EMPTY
    fence: int = 0
    first: int = 0
    last_event: str = ""
    last_decision: str = ""
    decider: str = ""
    touched_ms: int = 0
    shards: list[Shard] = []
    offers: list[OfferState] = []
    deadline_ms: int = 0
    cancel_asked: str | None = None
    listing_error: str = ""
    root_cid: str = ""
    dag_size_bytes: int = 0
    roots: dict[int, RootSlot] = {}
    manifest: Manifest | None = None
    code: str = ""
    reason: str = ""
    exit_code: int | None = None
    ended_ms: int = 0
    ended_at: str = ""
    closed: bool = False
    late: int = 0
    illegal: int = 0
    stories: list[Story] = []
    newer: dict[str, Skipped] = {}
    held: str = ""
    unjudged: int = 0
    recent: list[str] = []
    load: dict[str, int] = {}
    counts: dict[str, int] = {}
    placing: set[int] = set()
    judging: set[int] = set()
    publishing: set[int] = set()
    verdict_due: set[int] = set()
    publish_due: set[int] = set()

    @property
    def listed(self) -> bool:
        """Whether every input has its listing."""
        return all(listing is not None for listing in self.inputs)
