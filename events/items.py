"""The items that events carry in lists: one round of decisions or facts is one event.

A shard is an index from 0. An execution is named by (shard, attempt); its id on paper is
`<job>-<shard>-<attempt>`. Times end in `_ms` and are milliseconds since the Unix epoch, sizes end
in `_bytes`.
"""

from typing import Annotated, Literal

import msgspec

Cid = Annotated[str, msgspec.Meta(pattern="^baf(krei|ybei)[a-z2-7]{51}[aeimquy4]$")]
"""A CID as `events.cid` spells it: what names no content never gets past the decoder."""

Size = Annotated[int, msgspec.Meta(ge=0)]

Range = tuple[int, int]
"""Shards `start <= index < stop`."""


class Item(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The base of all items: immutable, defaults left out on the wire."""


class ListedFile(Item, array_like=True, frozen=True):
    """One file of a listing: `path` relative to its source, "" when the source is the file.

    `digest` names its bytes: their sha256 as hex, or its CID in a source that knows files by CID.
    """

    path: str
    size_bytes: int
    digest: str


class Listing(Item, frozen=True):
    """What one input held when it was listed.

    `digest` is the sha256 of the listing's canonical bytes. The files stand here when they take
    8 KiB or less, else in the blob that `blob` names by CID.
    """

    source: str
    count: Size
    size_bytes: Size
    digest: str
    files: tuple[ListedFile, ...] = ()
    blob: str = ""


class Claim(Item, frozen=True):
    """What a node says a command came to. `fuel` is counted by wasm engines only."""

    cid: Cid
    dag_size_bytes: Size
    exit_code: int
    fuel: int | None = None


class ExecutionRef(Item, frozen=True):
    """Names one execution of the job."""

    shard: int
    attempt: int


class Offer(Item, frozen=True):
    """An invitation to bid for some shards, to the nodes that the ring picked for them."""

    shards: tuple[Range, ...]
    nodes: tuple[str, ...]


class Bid(Item, frozen=True):
    """A node's yes to an offer: it takes up to `free` of its executions at one time."""

    offer: int
    free: int
    width: int = 1


class Decline(Item, frozen=True):
    """A node's no to an offer, with a reason that the job's owner understands."""

    offer: int
    code: str
    message: str


class Award(Item, frozen=True):
    """The requester's yes: this node runs this execution."""

    shard: int
    attempt: int
    node: str


class Failure(Item, frozen=True):
    """One node's word that an execution failed for reasons of infrastructure."""

    shard: int
    attempt: int
    code: str
    message: str


class Proposal(Item, frozen=True):
    """A finished execution: a commitment to its claim or, when nobody can copy it, the claim."""

    shard: int
    attempt: int
    commitment: str = ""
    claim: Claim | None = None


class Reveal(Item, frozen=True):
    """The claim and the nonce that open a commitment."""

    shard: int
    attempt: int
    claim: Claim
    nonce: str


class Loss(Item, frozen=True):
    """An execution that the requester has given up on; final."""

    shard: int
    attempt: int
    reason: str


class Rejection(Item, frozen=True):
    """An execution whose result was not accepted, and why."""

    attempt: int
    reason: str


class SlotAssignment(Item, frozen=True):
    """Which execution of a judged shard publishes to which of the job's publishers."""

    slot: int
    attempt: int


class Judgement(Item, frozen=True):
    """The verdict on one shard, with its evidence.

    `claim` is what the accepted agreed on. `publish` assigns the first publications at once.
    """

    shard: int
    result: Literal["accepted", "failed"]
    accepted: tuple[int, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    reason: str = ""
    claim: Claim | None = None
    publish: tuple[SlotAssignment, ...] = ()


class Assignment(Item, frozen=True):
    """A publication to be made; with `lookup` the node only asks the service whether it exists."""

    shard: int
    slot: int
    attempt: int
    lookup: bool = False


class Revocation(Item, frozen=True):
    """The end of an assignment to a paid slot, so that another node may take over."""

    shard: int
    slot: int
    attempt: int
    reason: str


class PublishStart(Item, frozen=True):
    """A node is about to pay; `assignment` is the id of the decision that it acts on."""

    shard: int
    slot: int
    attempt: int
    assignment: str


class Publication(Item, frozen=True):
    """A copy of an accepted result in a place that outlives the node.

    `claim` is set when this publication is its own verdict (verifier none, one replica).
    """

    shard: int
    slot: int
    attempt: int
    uri: str
    cid: str
    size_bytes: int
    duration_ms: int
    claim: Claim | None = None


class PublishFailure(Item, frozen=True):
    """A publication that failed; `permanent` when a repeat by this node cannot help.

    `unpaid` is a paid driver's word that surely nothing was paid and nothing is on its way.
    `assignment` is the id of the decision that the node acted on, "" for one that came with the
    award.
    """

    shard: int
    slot: int
    attempt: int
    code: str
    message: str
    permanent: bool = False
    unpaid: bool = False
    assignment: str = ""


class RootAssignment(Item, frozen=True):
    """The node of this execution publishes the job's root to this one of the job's publishers."""

    slot: int
    shard: int
    attempt: int


class RootPublication(Item, frozen=True):
    """The job's root, a folder over its shards' results, is where this publisher keeps results."""

    slot: int
    shard: int
    attempt: int
    uri: str
    cid: str
    size_bytes: int
    duration_ms: int


class RootFailure(Item, frozen=True):
    """The job's root could not be published."""

    slot: int
    shard: int
    attempt: int
    code: str
    message: str


class ShardFailure(Item, frozen=True):
    """A shard that is given up on without a verdict."""

    shard: int
    code: str
    reason: str


class ShardResult(Item, frozen=True):
    """One line of a job's manifest: what a shard came to and where its copies are."""

    shard: int
    cid: str
    dag_size_bytes: int
    uris: tuple[str, ...] = ()


class Manifest(Item, frozen=True):
    """The shards' results, here when they take 8 KiB or less, else in the blob named by CID."""

    count: int
    shards: tuple[ShardResult, ...] = ()
    blob: str = ""


class Capabilities(Item, frozen=True):
    """What a node declares when it joins.

    `data` lists source prefixes whose data it holds; a `file://` source can run only where one
    matches. `width` is how many executions it runs at one time. `serves` is the URL under which it
    gives out what its publisher `local` has written, "" when it does not.
    """

    roles: tuple[str, ...]
    engines: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    cpu: float = 0.0
    memory_bytes: int = 0
    disk_bytes: int = 0
    gpu: int = 0
    width: int = 1
    labels: dict[str, str] = {}
    data: tuple[str, ...] = ()
    version: str = ""
    serves: str = ""
