"""A job's story on a real log, told by hand: the submission by the gateway, the rest as given."""

from typing import Any

from events import codec
from events.blobs import Blobs
from events.client.gateway import prepare, submit
from events.codec import AnyEvent
from events.commitment import commit
from events.decisions import (
    JobCompleted,
    JobPlanned,
    ResultsJudged,
    RevealsRequested,
    ShardsAwarded,
)
from events.entry import role_of
from events.facts import NodeJoined, ResultsProposed, ResultsPublished, ResultsRevealed
from events.ids import new_id, new_job_id
from events.items import (
    Award,
    Capabilities,
    Claim,
    ExecutionRef,
    Judgement,
    Manifest,
    Proposal,
    Publication,
    Rejection,
    Reveal,
    SlotAssignment,
)
from events.log import Log
from events.spec import JobSpec
from events.subjects import NET, subject
from events.times import rfc3339
from publishers.unixfs import result_cid

START_MS = 1_790_000_000_000
NONCE = "ab" * 32


def claim_of(stdout: bytes, exit_code: int = 0) -> Claim:
    """Return what an honest node claims of a command that printed this and nothing else."""
    root = result_cid(stdout, b"", exit_code)
    return Claim(root.cid, root.dag_size_bytes, exit_code)


class JobOnLog:
    """One job and what is appended about it, half a second after the other."""

    def __init__(self, log: Log) -> None:
        self.id = new_job_id()
        self._log = log
        self._seen = 0

    async def submit(self, blobs: Blobs, spec: JobSpec) -> None:
        """Submit the job as the command line does."""
        await submit(
            self._log,
            blobs,
            await prepare(spec),
            job=self.id,
            author="cli",
            new_id=new_id,
            now_ms=lambda: START_MS,
        )
        self._seen = 1

    async def append(self, kind: type[AnyEvent], author: str, **data: Any) -> None:
        """Append one event of the job; what a decision says of its making is filled in."""
        event = self.event(kind, author, **data)
        self._seen += 1
        await append(self._log, event, author)

    def event(self, kind: type[AnyEvent], author: str, **data: Any) -> AnyEvent:
        """Return an event as its author would write it now."""
        fields = kind.__annotations__["data"]
        if "seen" in fields.__struct_fields__:
            data = {"seen": self._seen, "seal": "", "policy": "test", **data}
        return made(kind, self.id, author, START_MS + 500 * self._seen, fields(**data))

    async def plan(self, shards: int = 1, **data: Any) -> None:
        """Cut the job into shards."""
        await self.append(
            JobPlanned, "r1", shards=shards, deadline_ms=START_MS + 86_400_000, members=0, **data
        )

    async def award(self, *nodes: str, publish: tuple[int, ...] = ()) -> None:
        """Let nodes run shard 0, an execution each, and publish to these slots in one go."""
        awards = tuple(Award(0, attempt, node) for attempt, node in enumerate(nodes))
        until = {"until_ms": 2**50, "publish_until_ms": 2**50 if publish else 0}
        await self.append(ShardsAwarded, "r1", awards=awards, publish=publish, **until)

    async def finish(self, node: str, claim: Claim) -> None:
        """Let a node say what its execution came to, for a job of one replica."""
        await self.append(ResultsProposed, node, proposals=(Proposal(0, 0, claim=claim),))

    async def run_all(self, shards: dict[int, tuple[str, Claim]]) -> None:
        """Cut the job into shards and let these nodes run them, to the end."""
        await self.plan(len(shards))
        awards = tuple(Award(index, 0, node) for index, (node, _) in shards.items())
        until = {"until_ms": 2**50, "publish_until_ms": 0}
        await self.append(ShardsAwarded, "r1", awards=awards, publish=(), **until)
        for index, (node, claim) in shards.items():
            proposal = Proposal(index, 0, claim=claim)
            await self.append(ResultsProposed, node, proposals=(proposal,))
        await self.complete()

    async def agree(self, claims: dict[str, Claim], *, publish: bool = False) -> None:
        """Commit, reveal and judge shard 0 that these nodes run: the first claim is the right."""
        right = next(iter(claims.values()))
        for attempt, (node, claim) in enumerate(claims.items()):
            sealed = commit(self.id, 0, attempt, node, claim, NONCE)
            proposal = Proposal(0, attempt, commitment=sealed)
            await self.append(ResultsProposed, node, proposals=(proposal,))
        asked = tuple(ExecutionRef(0, attempt) for attempt in range(len(claims)))
        await self.append(RevealsRequested, "r1", executions=asked, until_ms=START_MS + 60_000)
        for attempt, (node, claim) in enumerate(claims.items()):
            reveal = Reveal(0, attempt, claim, NONCE)
            await self.append(ResultsRevealed, node, reveals=(reveal,))
        good = tuple(n for n, claim in enumerate(claims.values()) if claim == right)
        bad = tuple(Rejection(n, "another result") for n in range(len(claims)) if n not in good)
        slots = (SlotAssignment(0, good[0]),) if publish else ()
        verdict = Judgement(0, "accepted", good, bad, "2 of 3 agree", right, slots)
        await self.append(ResultsJudged, "r1", judgements=(verdict,), publish_until_ms=2**50)

    async def publish(self, node: str, claim: Claim, uri: str) -> None:
        """Let a node say that it has published shard 0."""
        copy = Publication(0, 0, 0, uri, claim.cid, claim.dag_size_bytes, 5)
        await self.append(ResultsPublished, node, publications=(copy,))

    async def complete(self, root_cid: str = "bafyroot") -> None:
        """Complete the job."""
        await self.append(
            JobCompleted,
            "r1",
            root_cid=root_cid,
            dag_size_bytes=1,
            manifest=Manifest(count=0),
            closed=True,
        )


async def join(log: Log, node: str, *roles: str, **can: Any) -> None:
    """Let a node join the network."""
    data = NodeJoined.__annotations__["data"](
        incarnation=new_id(), capabilities=Capabilities(roles=roles, **can)
    )
    await append(log, made(NodeJoined, NET, node, START_MS, data), node)


def made(kind: type[AnyEvent], about: str, author: str, ms: int, data: Any) -> AnyEvent:
    """Return an event with its envelope."""
    name = new_id()
    return kind(
        id=name,
        source=f"/lota/x/{author}",
        subject=about,
        time=rfc3339(ms),
        causationid=name,
        data=data,
    )


async def append(log: Log, event: AnyEvent, author: str) -> None:
    """Store an event where its kind belongs."""
    place = subject(event.subject, role_of(event), author, codec.kind(event))
    await log.append(place, codec.encode(event), id=event.id)
