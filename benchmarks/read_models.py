"""What the rows of the read models cost over the fold alone, at ten flushes a second.

Batches are of 1,000 events with a flush after each: what a flush every 100 ms meets at 10,000
events/s. The time is that of the processor, over all threads, since SQLite works beside the loop.
"""

import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from benchmarks.figures import Figure, Limit, Peer
from events import codec
from events.codec import AnyEvent
from events.decisions import (
    JobCompleted,
    JobCompletedData,
    JobPlanned,
    JobPlannedData,
    ResultsJudged,
    ResultsJudgedData,
    ShardsAwarded,
    ShardsAwardedData,
)
from events.facts import (
    BidsPlaced,
    BidsPlacedData,
    ResultsProposed,
    ResultsProposedData,
    ResultsPublished,
    ResultsPublishedData,
)
from events.ids import new_id, new_job_id
from events.items import (
    Award,
    Bid,
    Claim,
    Judgement,
    Manifest,
    Offer,
    Proposal,
    Publication,
    SlotAssignment,
)
from events.log import Record
from events.memory import MemoryLog
from events.requests import JobSubmitted, JobSubmittedData
from events.spec import Deal, JobSpec, PublisherSpec
from events.subjects import Role, subject
from projections.network import Network
from projections.runner import Runner
from projections.store import Store

BATCH = 1_000
EVENTS_PER_S = 10_000
ONE_SHARD = 3_000
MANY_SHARDS = 30
SHARDS = 1_000
OPEN = 200
"""Jobs whose events stand between each other's."""

SPEC = JobSpec(
    engine="noop",
    deal=Deal(confidence=1),
    verifier="deterministic",
    publishers=(PublisherSpec(driver="local"),),
)
CLAIM = Claim("bafybeifx7yeb55armcsxwwitkymga5xf53dxiarykms3ygqic223w5sk3m", 250, 0)
SEAL = "0" * 64
UNTIL_MS = 1 << 45


def story(shards: int) -> Iterator[tuple[Role, AnyEvent]]:
    """Yield the nine events of a job."""
    name, every = new_job_id(), range(shards)

    def event(kind: type[AnyEvent], data: object) -> AnyEvent:
        stamp = "2026-11-23T05:30:00.123Z"
        made = new_id()
        fields = {"source": "/lota/x/n1", "subject": name, "time": stamp, "causationid": made}
        return kind(id=made, data=data, **fields)  # type: ignore[arg-type]

    yield "g", event(JobSubmitted, JobSubmittedData(spec=SPEC, digest="0" * 64))
    offers = (Offer(((0, shards),), ("n1", "n2")),)
    plan = JobPlannedData(
        seen=1,
        seal=SEAL,
        policy="benchmark",
        shards=shards,
        deadline_ms=UNTIL_MS,
        members=2,
        offers=offers,
    )
    yield "r", event(JobPlanned, plan)
    yield "c", event(BidsPlaced, BidsPlacedData(bids=(Bid(0, 1000),)))
    yield "c", event(BidsPlaced, BidsPlacedData(bids=(Bid(0, 1000),)))
    awards = tuple(Award(n, 0, "n1") for n in every)
    award = ShardsAwardedData(
        seen=4, seal=SEAL, policy="benchmark", awards=awards, until_ms=UNTIL_MS
    )
    yield "r", event(ShardsAwarded, award)
    proposals = tuple(Proposal(n, 0, claim=CLAIM) for n in every)
    yield "c", event(ResultsProposed, ResultsProposedData(proposals=proposals))
    first = (SlotAssignment(0, 0),)
    verdicts = tuple(Judgement(n, "accepted", (0,), (), "", CLAIM, first) for n in every)
    yield (
        "r",
        event(
            ResultsJudged,
            ResultsJudgedData(
                seen=6,
                seal=SEAL,
                policy="benchmark",
                judgements=verdicts,
                publish_until_ms=UNTIL_MS,
            ),
        ),
    )
    copies = tuple(Publication(n, 0, 0, f"file:///{name}/{n}", CLAIM.cid, 250, 5) for n in every)
    yield "c", event(ResultsPublished, ResultsPublishedData(publications=copies))
    end = JobCompletedData(
        seen=8,
        seal=SEAL,
        policy="benchmark",
        root_cid="b",
        dag_size_bytes=1,
        manifest=Manifest(1),
        closed=True,
    )
    yield "r", event(JobCompleted, end)


def batches(jobs: int, shards: int) -> list[list[Record]]:
    """Return the records of some jobs, event by event in turn, in batches."""
    records: list[Record] = []
    for start in range(0, jobs, OPEN):
        rounds = zip(*(story(shards) for _ in range(start, min(jobs, start + OPEN))), strict=True)
        for role, event in (told for round_ in rounds for told in round_):
            place = subject(event.subject, role, "n1", codec.kind(event))
            records.append(Record(len(records) + 1, place, codec.encode(event)))
    return [records[start : start + BATCH] for start in range(0, len(records), BATCH)]


def fold_s(records: list[list[Record]]) -> float:
    """Return the processor's seconds for the fold alone."""
    network = Network()
    began = time.process_time()
    for batch in records:
        for record in batch:
            entry = network.fold(record)
            job = network.jobs.get(entry.address.job) if entry is not None else None
            if job is not None and job.closed:
                network.retire(job.id)
    return time.process_time() - began


async def rows_s(records: list[list[Record]]) -> float:
    """Return the processor's seconds for the fold, the rows and their way into the store."""
    with tempfile.TemporaryDirectory() as scratch:
        store = await Store.open(Path(scratch) / "projections.db")
        runner = Runner(MemoryLog(), store)
        began = time.process_time()
        for batch in records:
            runner.fold(batch)
            await runner.flush()
        taken = time.process_time() - began
        await store.close()
    return taken


async def measure() -> AsyncIterator[Figure]:
    """Yield the rate with rows beside the fold alone, and the rows' share of a core."""
    for what, jobs, shards, limit in (
        ("jobs of one shard", ONE_SHARD, 1, Limit(0.5, at_most=True)),
        (f"jobs of {SHARDS:,} shards", MANY_SHARDS, SHARDS, None),
    ):
        records = batches(jobs, shards)
        events = sum(map(len, records))
        alone_s, both_s = fold_s(records), await rows_s(records)
        yield Figure(
            what=f"fold and rows, {what}",
            value=events / both_s,
            unit="events/s",
            peer=Peer(name="fold alone", value=events / alone_s, ratio=alone_s / both_s),
        )
        if shards == 1:
            yield Figure(
                what=f"rows at {EVENTS_PER_S:,} events/s, {what}",
                value=(both_s - alone_s) / events * EVENTS_PER_S,
                unit="cores",
                limit=limit,
            )
        else:
            yield Figure(
                what=f"rows of shards, {what}", value=jobs * shards / both_s, unit="shards/s"
            )
