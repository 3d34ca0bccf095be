"""What compute nodes say happened (role `c`).

A fact counts only from the node that the execution was awarded to, and once per (execution,
type). Lists keep the order in which things happened on the node.
"""

from events.envelope import Data, Event
from events.items import (
    Bid,
    Capabilities,
    Decline,
    ExecutionRef,
    Failure,
    Listing,
    Proposal,
    Publication,
    PublishFailure,
    PublishStart,
    Reveal,
    RootFailure,
    RootPublication,
)


class BidsPlacedData(Data, frozen=True):
    """The offers that the node accepts."""

    bids: tuple[Bid, ...]


class BidsPlaced(Event, tag="lota.bids.placed.v1", frozen=True):
    """A node bids for offers of one job."""

    data: BidsPlacedData


class BidsDeclinedData(Data, frozen=True):
    """The offers that the node refuses."""

    declines: tuple[Decline, ...]


class BidsDeclined(Event, tag="lota.bids.declined.v1", frozen=True):
    """A node refuses offers of one job, with reasons."""

    data: BidsDeclinedData


class ExecutionsStartedData(Data, frozen=True):
    """The executions that run now."""

    executions: tuple[ExecutionRef, ...]


class ExecutionsStarted(Event, tag="lota.executions.started.v1", frozen=True):
    """Commands began to run; left out for runs of under a second."""

    data: ExecutionsStartedData


class ExecutionsFailedData(Data, frozen=True):
    """The executions that infrastructure failed."""

    failures: tuple[Failure, ...]


class ExecutionsFailed(Event, tag="lota.executions.failed.v1", frozen=True):
    """Executions ended without a result; they are retried elsewhere."""

    data: ExecutionsFailedData


class ResultsProposedData(Data, frozen=True):
    """The executions whose command has ended."""

    proposals: tuple[Proposal, ...]


class ResultsProposed(Event, tag="lota.results.proposed.v1", frozen=True):
    """Commands ended; the node commits to what they came to."""

    data: ResultsProposedData


class ResultsRevealedData(Data, frozen=True):
    """The opened commitments."""

    reveals: tuple[Reveal, ...]


class ResultsRevealed(Event, tag="lota.results.revealed.v1", frozen=True):
    """A node opens its commitments, as it was asked."""

    data: ResultsRevealedData


class PublishStartedData(Data, frozen=True):
    """The paid publications that the node is about to make."""

    starts: tuple[PublishStart, ...]


class PublishStarted(Event, tag="lota.publish.started.v1", frozen=True):
    """A node is about to pay for a publication; appended under the fence of its assignment."""

    data: PublishStartedData


class ResultsPublishedData(Data, frozen=True):
    """The copies that exist now, of results and of the job's root."""

    publications: tuple[Publication, ...]
    roots: tuple[RootPublication, ...] = ()


class ResultsPublished(Event, tag="lota.results.published.v1", frozen=True):
    """Results are in a place that outlives the node."""

    data: ResultsPublishedData


class PublishFailedData(Data, frozen=True):
    """The publications that did not succeed, of results and of the job's root."""

    failures: tuple[PublishFailure, ...]
    roots: tuple[RootFailure, ...] = ()


class PublishFailed(Event, tag="lota.publish.failed.v1", frozen=True):
    """Publications failed; the computation is not repeated for that."""

    data: PublishFailedData


class InputsListedData(Data, frozen=True):
    """One entry per input of the spec: a listing for remote sources, null for the others.

    `error` says why listing failed for good; then there are no listings.
    """

    inputs: tuple[Listing | None, ...] = ()
    error: str = ""


class InputsListed(Event, tag="lota.inputs.listed.v1", frozen=True):
    """A node listed the job's remote inputs."""

    data: InputsListedData


class NodeJoinedData(Data, frozen=True):
    """The node's present life: a new `incarnation` each start, and the executions it holds."""

    incarnation: str
    capabilities: Capabilities
    holds: tuple[str, ...] = ()


class NodeJoined(Event, tag="lota.node.joined.v1", frozen=True):
    """A node is there and says what it can do."""

    data: NodeJoinedData


class NodeDrainedData(Data, frozen=True):
    """Which life of the node takes no new work."""

    incarnation: str


class NodeDrained(Event, tag="lota.node.drained.v1", frozen=True):
    """A node finishes what it has and takes no new work."""

    data: NodeDrainedData


class NodeLeftData(Data, frozen=True):
    """Which life of the node ended in good order."""

    incarnation: str


class NodeLeft(Event, tag="lota.node.left.v1", frozen=True):
    """A node stopped in good order."""

    data: NodeLeftData


Fact = (
    BidsPlaced
    | BidsDeclined
    | ExecutionsStarted
    | ExecutionsFailed
    | ResultsProposed
    | ResultsRevealed
    | PublishStarted
    | ResultsPublished
    | PublishFailed
    | InputsListed
    | NodeJoined
    | NodeDrained
    | NodeLeft
)
