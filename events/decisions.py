"""What requesters decide (role `r`); each is appended under the fence of its job.

A decision names executions, never "all". It beats a fact that its author had not seen.
"""

from typing import Literal

from events.envelope import Decided, DecidedAmong, Event
from events.items import (
    Assignment,
    Award,
    ExecutionRef,
    Judgement,
    Loss,
    Manifest,
    Offer,
    Revocation,
    RootAssignment,
    ShardFailure,
)


class JobPlannedData(Decided, frozen=True):
    """How the job is cut, and its first offers.

    A pure function of the listing. `members` counts the node events that placement had folded;
    `bids_until_ms` and `deadline_ms` end the wait for bids and the job.
    """

    shards: int
    deadline_ms: int
    members: int
    offers: tuple[Offer, ...] = ()
    bids_until_ms: int = 0


class JobPlanned(Event, tag="lota.job.planned.v1", frozen=True):
    """The job has shards now."""

    data: JobPlannedData


class ShardsOfferedData(Decided, frozen=True):
    """Further offers; an offer's number is its index among all offers of the job."""

    members: int
    offers: tuple[Offer, ...]
    bids_until_ms: int


class ShardsOffered(Event, tag="lota.shards.offered.v1", frozen=True):
    """Nodes are invited to bid."""

    data: ShardsOfferedData


class ShardsAwardedData(DecidedAmong, frozen=True):
    """Who runs what, and until when.

    With `publish` (verifier none, one replica) each awarded execution also publishes to these of
    the job's publishers in one go, until `publish_until_ms`.
    """

    awards: tuple[Award, ...]
    until_ms: int
    publish: tuple[int, ...] = ()
    publish_until_ms: int = 0


class ShardsAwarded(Event, tag="lota.shards.awarded.v1", frozen=True):
    """Bids are accepted: executions exist."""

    data: ShardsAwardedData


class ExecutionsLostData(DecidedAmong, frozen=True):
    """The executions given up on."""

    lost: tuple[Loss, ...]


class ExecutionsLost(Event, tag="lota.executions.lost.v1", frozen=True):
    """Executions are given up on; final, whatever comes later."""

    data: ExecutionsLostData


class RevealsRequestedData(DecidedAmong, frozen=True):
    """The commitments to be opened, until `until_ms`."""

    executions: tuple[ExecutionRef, ...]
    until_ms: int


class RevealsRequested(Event, tag="lota.reveals.requested.v1", frozen=True):
    """Enough have committed: open the commitments. No new execution or commitment from here on."""

    data: RevealsRequestedData


class ResultsJudgedData(DecidedAmong, frozen=True):
    """Verdicts, and the first assignments to publish until `publish_until_ms`."""

    judgements: tuple[Judgement, ...]
    publish_until_ms: int = 0


class ResultsJudged(Event, tag="lota.results.judged.v1", frozen=True):
    """Shards have their verdict."""

    data: ResultsJudgedData


class PublicationsAssignedData(DecidedAmong, frozen=True):
    """Who publishes what, until when.

    `roots` go out once every shard is published: the blocks of the job's root, whose CID is
    `root_cid`, are the CAR that is the blob `root_blob`.
    """

    assignments: tuple[Assignment, ...]
    until_ms: int
    roots: tuple[RootAssignment, ...] = ()
    root_cid: str = ""
    root_blob: str = ""


class PublicationsAssigned(Event, tag="lota.publications.assigned.v1", frozen=True):
    """Executions are to publish."""

    data: PublicationsAssignedData


class PublicationsRevokedData(DecidedAmong, frozen=True):
    """The paid assignments that end."""

    revoked: tuple[Revocation, ...]


class PublicationsRevoked(Event, tag="lota.publications.revoked.v1", frozen=True):
    """Paid slots are taken back before anyone else may pay."""

    data: PublicationsRevokedData


class ShardsFailedData(DecidedAmong, frozen=True):
    """The shards given up on."""

    shards: tuple[ShardFailure, ...]


class ShardsFailed(Event, tag="lota.shards.failed.v1", frozen=True):
    """Shards are given up on without a verdict."""

    data: ShardsFailedData


class JobCompletedData(DecidedAmong, frozen=True):
    """The job's result. `closed` says that no execution is open, so that this also closes it."""

    root_cid: str
    dag_size_bytes: int
    manifest: Manifest
    closed: bool = False


class JobCompleted(Event, tag="lota.job.completed.v1", frozen=True):
    """Every shard is accepted and published as asked."""

    data: JobCompletedData


class JobFailedData(DecidedAmong, frozen=True):
    """Why: `code` is user, disagreement, infrastructure, publishing, inputs or deadline."""

    code: Literal["user", "disagreement", "infrastructure", "publishing", "inputs", "deadline"]
    reason: str
    exit_code: int | None = None
    closed: bool = False


class JobFailed(Event, tag="lota.job.failed.v1", frozen=True):
    """The job ended without its result."""

    data: JobFailedData


class JobCancelledData(DecidedAmong, frozen=True):
    """What the client gave as its reason."""

    reason: str = ""
    closed: bool = False


class JobCancelled(Event, tag="lota.job.cancelled.v1", frozen=True):
    """A cancel was granted."""

    data: JobCancelledData


class JobClosedData(DecidedAmong, frozen=True):
    """The seal over the whole job is this decision's own `seal`."""


class JobClosed(Event, tag="lota.job.closed.v1", frozen=True):
    """Nothing of the job is open any more; what comes later is late."""

    data: JobClosedData


class NodeLostData(Decided, frozen=True):
    """Which life of the node was lost, and why.

    `silence_ms` is how long its author had not heard the node: heartbeats are no events. 0 stands
    in decisions that were made before it was recorded.
    """

    node: str
    incarnation: str
    reason: str
    silence_ms: int = 0


class NodeLost(Event, tag="lota.node.lost.v1", frozen=True):
    """A node no longer answers. This changes membership only."""

    data: NodeLostData


class NodeQuarantinedData(Decided, frozen=True):
    """Which node gets no new work, why, and until when (0: until a person says)."""

    node: str
    reason: str
    until_ms: int = 0


class NodeQuarantined(Event, tag="lota.node.quarantined.v1", frozen=True):
    """A node lost its standing."""

    data: NodeQuarantinedData


Decision = (
    JobPlanned
    | ShardsOffered
    | ShardsAwarded
    | ExecutionsLost
    | RevealsRequested
    | ResultsJudged
    | PublicationsAssigned
    | PublicationsRevoked
    | ShardsFailed
    | JobCompleted
    | JobFailed
    | JobCancelled
    | JobClosed
    | NodeLost
    | NodeQuarantined
)
