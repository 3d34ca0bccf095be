"""Jobs: as lines of a list, one by one, and where their time went."""

from typing import Literal

from events.spec import JobSpec
from node.web.api.documents import AsOf, Document
from projections.state import ExecutionState, JobState, RootState, ShardState, SlotState

Cursor = str | None
"""What to ask for the next page with; null on the last one."""


class ShardCounts(Document, frozen=True):
    """How many shards a job has, and how many have ended how."""

    total: int
    completed: int
    failed: int
    cancelled: int


class JobRow(Document, frozen=True):
    """One job as a line of a list; `position` is that of its first event."""

    id: str
    name: str
    state: JobState
    code: str | None
    reason: str | None
    root_cid: str | None
    labels: dict[str, str]
    engine: str
    command: str
    shards: ShardCounts
    submitted_at: str
    ended_at: str | None
    position: int
    closed: bool


class JobPage(AsOf, frozen=True):
    """Jobs, newest first."""

    jobs: list[JobRow]
    next: Cursor


class InputView(Document, frozen=True):
    """What one input held when it was listed."""

    source: str
    count: int
    size_bytes: int
    digest: str


class ClaimView(Document, frozen=True):
    """What a node says a command came to."""

    cid: str
    dag_size_bytes: int
    exit_code: int
    fuel: int | None


class ExecutionView(Document, frozen=True):
    """One node's attempt at one shard."""

    id: str
    node: str
    state: ExecutionState
    reason: str | None
    claim: ClaimView | None


class VerdictView(Document, frozen=True):
    """What was decided about a shard's results, by the ids of executions."""

    result: Literal["accepted", "failed"]
    accepted: list[str]
    rejected: list[str]
    reason: str | None
    claim: ClaimView | None


class CopyView(Document, frozen=True):
    """One published copy of a shard's result."""

    publisher: str
    target: str | None
    uri: str
    cid: str
    size_bytes: int
    duration_ms: int
    node: str
    execution: str


class SlotView(Document, frozen=True):
    """How one publication of a shard stands: who has it in hand, how often it was tried."""

    publisher: str
    target: str | None
    state: SlotState
    node: str | None
    tries: int
    given_up: list[str]
    reason: str | None


class ShardView(Document, frozen=True):
    """One shard of a job."""

    index: int
    state: ShardState
    code: str | None
    reason: str | None
    executions: list[ExecutionView]
    verdict: VerdictView | None
    publications: list[CopyView]
    slots: list[SlotView]


class RootView(Document, frozen=True):
    """The job's root at one of its publishers."""

    publisher: str
    target: str | None
    state: RootState
    node: str | None
    uri: str | None
    cid: str | None
    tries: int
    reason: str | None


class EventCounts(Document, frozen=True):
    """How many events a job has, and how many items of them changed nothing."""

    events: int
    late: int
    illegal: int


class StoryView(Document, frozen=True):
    """An item that was skipped as illegal, and what led to it."""

    event: str
    kind: str
    author: str
    causation: str
    item: str
    state: str
    why: str
    before: list[str]


class NewerView(Document, frozen=True):
    """Events of a type that only a newer version of Lota knows, and where they are."""

    type: str
    count: int
    first: int
    last: int


class ReasonView(Document, frozen=True):
    """Why a job waits: at which stage, for whom, and how many shards that holds up."""

    stage: str
    code: str
    message: str
    node: str | None
    shards: int


class StretchView(Document, frozen=True):
    """All events of one kind: when the first and the last happened, and who wrote them."""

    kind: str
    role: Literal["r", "c", "g"]
    first: str
    last: str
    events: int
    items: int
    authors: list[str]


class JobDocument(AsOf, frozen=True):
    """Everything about one job."""

    id: str
    name: str
    state: JobState
    code: str | None
    reason: str | None
    exit_code: int | None
    root_cid: str | None
    dag_size_bytes: int | None
    labels: dict[str, str]
    gateway: str
    submitted_at: str
    ended_at: str | None
    deadline_at: str | None
    closed: bool
    cancel_asked: str | None
    spec: JobSpec
    inputs: list[InputView | None]
    shards: list[ShardView]
    roots: list[RootView]
    counts: EventCounts
    illegal: list[StoryView]
    newer: list[NewerView]
    unjudged: int
    why_waiting: list[ReasonView]
    timeline: list[StretchView]


class StageView(Document, frozen=True):
    """How long shards were in one stage: all together, the median one, the longest one."""

    stage: Literal["queue", "bid", "run", "verify", "publish"]
    total_ms: int
    median_ms: int
    longest_ms: int


class MarkView(Document, frozen=True):
    """From `after_ms` on, counted from the job's start, the execution was in this state."""

    state: str
    after_ms: int


class LaneView(Document, frozen=True):
    """One execution over time."""

    execution: str
    shard: int
    attempt: int
    node: str
    state: str
    in_hand_ms: int
    marks: list[MarkView]


class LanesDocument(AsOf, frozen=True):
    """Where the time of a job went: a lane for each execution, and a sum for each stage."""

    job: str
    state: JobState
    ended: bool
    shards: int
    start: str | None
    took_ms: int
    stages: list[StageView]
    lanes: list[LaneView]


class ExecutionRow(Document, frozen=True):
    """One execution as a line of a list; `until` is its deadline."""

    id: str
    shard: int
    attempt: int
    node: str
    state: ExecutionState
    reason: str | None
    claim: ClaimView | None
    awarded_at: str
    until: str


class ExecutionPage(AsOf, frozen=True):
    """Executions of a job, in the order of shards and attempts."""

    executions: list[ExecutionRow]
    next: Cursor


class Asked(Document, frozen=True):
    """What was asked of a job stands on the log at this position."""

    id: str
    position: int
