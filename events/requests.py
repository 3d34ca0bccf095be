"""What a gateway accepted from a client (role `g`)."""

from events.envelope import Data, Event
from events.items import Listing
from events.spec import JobSpec


class JobSubmittedData(Data, frozen=True):
    """The job as asked, in normal form.

    `digest` is the sha256 of the canonical spec. `inputs` has one entry per input of the spec:
    its listing, or null for a remote source that a compute node will list.
    """

    spec: JobSpec
    digest: str
    inputs: tuple[Listing | None, ...] = ()


class JobSubmitted(Event, tag="lota.job.submitted.v1", frozen=True):
    """A client asked for a job."""

    data: JobSubmittedData


class CancelRequestedData(Data, frozen=True):
    """Why the client no longer wants the job."""

    reason: str = ""


class CancelRequested(Event, tag="lota.cancel.requested.v1", frozen=True):
    """A client wishes the job to end; a requester decides whether it still can."""

    data: CancelRequestedData


Request = JobSubmitted | CancelRequested
