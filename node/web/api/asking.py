"""What a request can say: in its path, its query and its body."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from events.codec import KINDS
from projections.state import JobState

LIMIT_MAX = 1_000
POSITION_MAX = 2**53 - 1
"""What every reader of JSON can hold."""

JOB = "^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
NAME = "^[A-Za-z0-9_-]{1,40}$"
_DATE = "[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-2]):[0-5][0-9])"
_AGO = r"([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h|d)){1,4}( ago)?"
_POINT = f"^([1-9][0-9]{{0,14}}|{_AGO}|{_DATE}({_TIME})?)?$"
_MOMENT = f"^({_AGO}|{_DATE}({_TIME})?)?$"

JobName = Annotated[str, Meta(pattern=JOB, description="The job's id, or the start of it.")]
NodeName = Annotated[str, Meta(pattern=NAME)]
Point = Annotated[
    str,
    Meta(
        pattern=_POINT,
        max_length=40,
        description="Answer as of this position, time (RFC 3339, or a date) or so long ago (2h).",
    ),
]
Moment = Annotated[
    str,
    Meta(
        pattern=_MOMENT,
        max_length=40,
        description="A time (RFC 3339, or a date), or so long ago (2h).",
    ),
]
Limit = Annotated[int, Meta(ge=1, le=LIMIT_MAX, description="At most so many.")]
Cursor = Annotated[
    str, Meta(pattern="^[0-9]{0,15}$", description="`next` of the page before this one.")
]
Position = Annotated[int, Meta(ge=0, le=POSITION_MAX)]
Index = Annotated[int, Meta(ge=0, lt=100_000)]
_KINDS = sorted(KINDS.values())
Kind = Annotated[str, Meta(pattern=f"^({'|'.join(_KINDS)})$", extra_json_schema={"enum": _KINDS})]
Text = Annotated[str, Meta(max_length=200)]
OptionalShard = Index | msgspec.UnsetType


class Asking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all: what is not named is refused."""


class JobPath(Asking, frozen=True):
    """Which job."""

    id: JobName


class NodePath(Asking, frozen=True):
    """Which node."""

    name: NodeName


class AsOfQuery(Asking, frozen=True):
    """When."""

    as_of: Point = ""


class JobsQuery(AsOfQuery, frozen=True):
    """Which jobs: in one of these states, with all of these labels (`KEY` or `KEY=VALUE`), and
    with this text in the id or the name.
    """

    state: list[JobState] = []
    label: list[Text] = []
    q: Text = ""
    limit: Limit = 50
    cursor: Cursor = ""


class LanesQuery(AsOfQuery, frozen=True):
    """Of which shard; all by default."""

    shard: OptionalShard = msgspec.UNSET


class JobEventsQuery(AsOfQuery, frozen=True):
    """Which events of a job."""

    type: list[Kind] = []
    limit: Limit = 100
    cursor: Cursor = ""


class ExecutionsQuery(AsOfQuery, frozen=True):
    """Which executions of a job."""

    shard: OptionalShard = msgspec.UNSET
    limit: Limit = 100
    cursor: Cursor = ""


class RingQuery(AsOfQuery, frozen=True):
    """Of which job, and which of its shards."""

    job: Annotated[str, Meta(pattern=f"{JOB[:-1]}$|^$")] = ""
    shard: Index = 0


class LogQuery(AsOfQuery, frozen=True):
    """Which events: `after` a position the oldest come first, else the newest, `before` one."""

    after: Position | msgspec.UnsetType = msgspec.UNSET
    before: Position | msgspec.UnsetType = msgspec.UNSET
    limit: Limit = 100
    type: list[Kind] = []
    job: Annotated[str, Meta(pattern=f"{JOB[:-1]}$|^$")] = ""
    author: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,40}$")] = ""


class EventsQuery(Asking, frozen=True):
    """Which events to stream, and behind which position; from now on by default."""

    after: Position | msgspec.UnsetType = msgspec.UNSET
    type: list[Kind] = []
    job: Annotated[str, Meta(pattern=f"{JOB[:-1]}$|^$")] = ""


class ChangesQuery(Asking, frozen=True):
    """Behind which position; from now on by default."""

    after: Position | msgspec.UnsetType = msgspec.UNSET


class SeriesQuery(AsOfQuery, frozen=True):
    """Of which span of time, and in which steps: of so long each, or so many at most."""

    since: Moment = ""
    until: Moment = ""
    step: Annotated[str, Meta(pattern="^([1-9][0-9]{0,4}(s|m|h|d))?$")] = ""
    points: Annotated[int, Meta(ge=2, le=2_000)] = 300


class OutputQuery(Asking, frozen=True):
    """Which stream of which shard, and from which byte on."""

    shard: Index = 0
    stream: Literal["stdout", "stderr"] = "stdout"
    offset: Position = 0


class ResultsQuery(Asking, frozen=True):
    """Of which shard, and which folder in it; without a shard, the shards that have a result."""

    shard: OptionalShard = msgspec.UNSET
    path: Annotated[str, Meta(max_length=4_096)] = ""
    limit: Limit = 1_000
    cursor: Annotated[str, Meta(max_length=4_096)] = ""


class FilePath(Asking, frozen=True):
    """A file of a result; the path is percent-encoded, name by name."""

    id: JobName
    shard: Index
    path: str


class SubmitQuery(Asking, frozen=True):
    """Under which id to submit; a new one by default."""

    id: Annotated[
        str,
        Meta(pattern=f"{JOB[:-1]}$|^$", description="A repeat with the same id is no second job."),
    ] = ""


class Cancelling(Asking, frozen=True):
    """Why the job is no longer wanted."""

    reason: Annotated[str, Meta(max_length=1_000)] = ""
