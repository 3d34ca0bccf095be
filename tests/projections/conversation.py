"""Given these events, when one more comes: a job's story written down as events, and folded."""

from collections.abc import Callable, Iterable
from typing import Any

from events.codec import KINDS, AnyEvent, encode
from events.commitment import commit
from events.decisions import (
    JobPlanned,
    JobPlannedData,
    PublicationsAssigned,
    PublicationsAssignedData,
    ResultsJudged,
    ResultsJudgedData,
    RevealsRequested,
    RevealsRequestedData,
    ShardsAwarded,
    ShardsAwardedData,
    ShardsOffered,
    ShardsOfferedData,
)
from events.entry import Entry, role_of
from events.facts import (
    BidsPlaced,
    BidsPlacedData,
    NodeJoined,
    NodeJoinedData,
    ResultsProposed,
    ResultsProposedData,
    ResultsRevealed,
    ResultsRevealedData,
)
from events.items import (
    Assignment,
    Award,
    Bid,
    Capabilities,
    Claim,
    ExecutionRef,
    Judgement,
    Offer,
    Proposal,
    Reveal,
    SlotAssignment,
)
from events.log import Record
from events.requests import JobSubmitted, JobSubmittedData
from events.spec import Deal, JobSpec, PublisherSpec, Sharding, digest, normal
from events.subjects import NET, partition, subject
from events.times import rfc3339
from projections.network import Network
from projections.state import Job

JOB = "job"
START_MS = 1_795_000_000_000
NONCE = "ab" * 32
DRIVERS = {"free": False, "paid": False}
CLAIM = Claim("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", 100, 0)
OTHER = Claim("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", 100, 0)
FAILED = Claim("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", 100, 3)


class Conversation:
    """Events of one job, one method for each that a test says often; `tell` says all others."""

    prefix = f"lota.ev.{partition(JOB)}.{JOB}"

    def __init__(self, *, nodes: Iterable[str] = ("n0", "n1", "n2")) -> None:
        self.network = Network()
        self.now_ms = START_MS
        self.told = 0
        self.last: Record | None = None
        self.join("r0", Capabilities(roles=("requester",)))
        for name in nodes:
            self.join(name, compute())

    @property
    def job(self) -> Job:
        """The job as folded so far."""
        return self.network.jobs[JOB]

    def tell(
        self, author: str, kind: Callable[..., AnyEvent], data: Any, job: str = JOB
    ) -> Entry | None:
        """Let an event be stored and folded."""
        self.told += 1
        event = kind(
            id=f"E{self.told}",
            source=f"/lota/{author}",
            subject=job,
            time=rfc3339(self.now_ms),
            causationid="E0",
            data=data,
        )
        name = subject(job, role_of(event), author, KINDS[type(event)])
        return self.fold(name, encode(event))

    def fold(self, name: str, body: bytes) -> Entry | None:
        """Let any message be stored and folded."""
        self.last = Record(self.network.position + 1, name, body)
        return self.network.fold(self.last)

    def again(self) -> None:
        """Let the last message be stored once more."""
        assert self.last is not None
        self.fold(self.last.subject, self.last.body)

    def decide(
        self, kind: Callable[..., AnyEvent], data: Callable[..., Any], **fields: Any
    ) -> None:
        """Let the requester decide something."""
        self.tell("r0", kind, data(seen=0, seal="", policy="test", **fields))

    def join(self, name: str, capabilities: Capabilities, life: str = "1") -> None:
        """Let a node join."""
        data = NodeJoinedData(incarnation=f"{name}-{life}", capabilities=capabilities)
        self.tell(name, NodeJoined, data, NET)

    def submit(self, **fields: Any) -> None:
        """Let a client submit a job."""
        spec = spec_of(**fields)
        data = JobSubmittedData(spec=spec, digest=digest(spec))
        self.tell("client", JobSubmitted, data)

    def plan(self, shards: int = 1, nodes: tuple[str, ...] = ("n0", "n1", "n2")) -> None:
        """Plan the job and offer all of it to some nodes."""
        offers = (Offer(((0, shards),), nodes),) if nodes else ()
        self.decide(
            JobPlanned,
            JobPlannedData,
            shards=shards,
            deadline_ms=self.now_ms + 600_000,
            members=0,
            offers=offers,
            bids_until_ms=self.now_ms + 2_000,
        )

    def offer(self, *nodes: str, shards: tuple[tuple[int, int], ...] = ((0, 1),)) -> None:
        """Offer shards to more nodes."""
        self.decide(
            ShardsOffered,
            ShardsOfferedData,
            members=0,
            offers=(Offer(shards, nodes),),
            bids_until_ms=self.now_ms + 2_000,
        )

    def bid(self, *names: str, offer: int = 0, free: int = 10, width: int = 1) -> None:
        """Let nodes bid."""
        for name in names:
            self.tell(name, BidsPlaced, BidsPlacedData(bids=(Bid(offer, free, width),)))

    def award(self, *awards: tuple[int, int, str], publish: tuple[int, ...] = ()) -> None:
        """Award (shard, attempt, node)."""
        self.decide(
            ShardsAwarded,
            ShardsAwardedData,
            awards=tuple(Award(*award) for award in awards),
            until_ms=self.now_ms + 60_000,
            publish=publish,
            publish_until_ms=self.now_ms + 120_000 if publish else 0,
        )

    def propose(
        self, node: str, attempt: int, claim: Claim = CLAIM, *, shard: int = 0, plain: bool = False
    ) -> None:
        """Let a node commit to a claim, or say it plainly."""
        seal = commit(JOB, shard, attempt, node, claim, NONCE)
        item = Proposal(shard, attempt, claim=claim) if plain else Proposal(shard, attempt, seal)
        self.tell(node, ResultsProposed, ResultsProposedData(proposals=(item,)))

    def ask(self, *attempts: int, shard: int = 0) -> None:
        """Ask for reveals."""
        refs = tuple(ExecutionRef(shard, attempt) for attempt in attempts)
        self.decide(
            RevealsRequested,
            RevealsRequestedData,
            executions=refs,
            until_ms=self.now_ms + 60_000,
        )

    def reveal(self, node: str, attempt: int, claim: Claim = CLAIM, nonce: str = NONCE) -> None:
        """Let a node open its commitment."""
        data = ResultsRevealedData(reveals=(Reveal(0, attempt, claim, nonce),))
        self.tell(node, ResultsRevealed, data)

    def judge(self, *accepted: int, claim: Claim = CLAIM, publish: tuple[int, ...] = ()) -> None:
        """Accept executions of shard 0, and let the first publish to slots."""
        judgement = Judgement(
            shard=0,
            result="accepted",
            accepted=accepted,
            claim=claim,
            publish=tuple(SlotAssignment(slot, accepted[0]) for slot in publish),
        )
        self.decide(
            ResultsJudged,
            ResultsJudgedData,
            judgements=(judgement,),
            publish_until_ms=self.now_ms + 60_000,
        )

    def assign(self, slot: int, attempt: int, *, lookup: bool = False) -> None:
        """Assign a slot of shard 0."""
        item = Assignment(0, slot, attempt, lookup=lookup)
        self.decide(
            PublicationsAssigned,
            PublicationsAssignedData,
            assignments=(item,),
            until_ms=self.now_ms + 60_000,
        )


def agreed(
    replicas: int = 2,
    publishers: tuple[str, ...] = (),
    publish: str | int = "all",
    made_by: tuple[str, ...] = ("free", "paid"),
) -> Conversation:
    """Return a conversation in which all replicas of the one shard have revealed the same.

    `made_by` are the publishers that all nodes have.
    """
    talk = Conversation(nodes=())
    for number in range(replicas + 1):
        talk.join(f"n{number}", compute(publishers=made_by))
    talk.submit(replicas=replicas, publishers=publishers, publish=publish)
    talk.plan(nodes=tuple(f"n{number}" for number in range(replicas + 1)))
    talk.award(*((0, number, f"n{number}") for number in range(replicas)))
    for number in range(replicas):
        talk.propose(f"n{number}", number)
    talk.ask(*range(replicas))
    for number in range(replicas):
        talk.reveal(f"n{number}", number)
    return talk


def spec_of(
    *,
    replicas: int = 1,
    confidence: int = 0,
    min_bids: int = 1,
    shards: int = 1,
    publishers: tuple[str, ...] = (),
    publish: str | int = "all",
    verifier: str = "deterministic",
) -> JobSpec:
    """Return the spec of a noop job."""
    spec = JobSpec(
        engine="noop",
        sharding=Sharding(count=shards),
        deal=Deal(replicas, confidence, min_bids),
        verifier="none" if verifier == "none" else "deterministic",
        publishers=tuple(PublisherSpec(driver) for driver in publishers),
        publish=publish,
        timeout="10s",
        deadline="10m",
    )
    return normal(spec, publishers=DRIVERS)


def compute(*, width: int = 4, publishers: tuple[str, ...] = ("free", "paid")) -> Capabilities:
    """Return what a compute node can do that can do everything."""
    return Capabilities(
        roles=("compute",),
        engines=("noop",),
        publishers=publishers,
        cpu=8.0,
        memory_bytes=1 << 40,
        disk_bytes=1 << 40,
        width=width,
    )
