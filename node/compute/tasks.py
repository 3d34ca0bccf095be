"""What is on a compute node's desk: jobs, the executions awarded of them, and their uploads."""

from typing import Literal

from events.items import Claim, Listing
from events.spec import JobSpec
from projections.state import Mutable

TaskState = Literal["queued", "running", "finished", "failing", "stopping", "told", "ended"]
UploadState = Literal["asked", "ready", "working", "done", "failed", "told"]
Key = tuple[int, int]
"""(shard, attempt)"""
ANNOUNCED_MS = 1_000
"""An execution that runs for longer than this is announced as started."""


class Upload(Mutable):
    """One publication that was asked of this node, and what came of it.

    `sure` means that the log itself said so. A command may be older than what the node has done in
    an earlier life, and who pays on its word pays twice. `begun` means that by the log this node
    had begun to pay, `unpaid` that it surely has paid nothing.
    """

    slot: int
    decision: str
    fence: int
    lookup: bool = False
    begun: bool = False
    sure: bool = False
    state: UploadState = "asked"
    uri: str = ""
    cid: str = ""
    size_bytes: int = 0
    duration_ms: int = 0
    code: str = ""
    message: str = ""
    permanent: bool = False
    unpaid: bool = False


class RootTask(Mutable):
    """The job's root that this node is to publish, for an execution of its own."""

    slot: int
    shard: int
    attempt: int
    decision: str
    cid: str
    blob: str
    upload: Upload


class Task(Mutable):
    """One execution that was awarded to this node.

    `told` means that its proposal is on the log; `claim` is what it came to, durable before that.
    """

    shard: int
    attempt: int
    state: TaskState = "queued"
    fused: tuple[int, ...] = ()
    claim: Claim | None = None
    started: Literal["", "due", "told"] = ""
    reveal: Literal["", "due", "told"] = ""
    uploads: dict[int, Upload] = {}
    code: str = ""
    message: str = ""


class DeskJob(Mutable):
    """One job as this node knows it.

    `sending` holds while a fact of it is on its way; `due` names the tasks that owe something, so
    that nobody has to look through all; `doubt` asks for the job to be read from the log; `unheard`
    means that no orders came since the last `sweep`.
    """

    id: str
    spec: JobSpec | None = None
    inputs: tuple[Listing | None, ...] = ()
    shards: int = 0
    traceparent: str = ""
    fence: int = 0
    offers: dict[int, Literal["due", "told"]] = {}
    tasks: dict[Key, Task] = {}
    due: dict[Key, None] = {}
    roots: dict[int, RootTask] = {}
    listing: Literal["", "due", "working", "done", "told"] = ""
    listed: tuple[Listing | None, ...] = ()
    listing_error: str = ""
    sending: bool = False
    closed: bool = False
    doubt: bool = False
    unheard: bool = False


class Desk(Mutable):
    """All open jobs of this node; `paid` names the publishers of which each upload costs money."""

    node: str
    paid: frozenset[str] = frozenset()
    jobs: dict[str, DeskJob] = {}
