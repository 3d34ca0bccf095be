"""Documents and reasons made from folds alone, with no server."""

import json

import pytest

from events.decisions import (
    JobFailed,
    RevealsRequested,
    ShardsAwarded,
    ShardsFailed,
    ShardsOffered,
)
from events.entry import read_entry
from events.facts import (
    BidsDeclined,
    BidsPlaced,
    NodeDrained,
    NodeDrainedData,
    PublishFailed,
    ResultsProposed,
)
from events.items import (
    Award,
    Bid,
    Decline,
    ExecutionRef,
    Offer,
    Proposal,
    PublishFailure,
    ShardFailure,
)
from events.memory import MemoryBlobs, MemoryLog
from events.spec import Deal, JobSpec, PublisherSpec
from events.subjects import NET
from node.jobs import Loaded, load_job
from projections.network import Network
from projections.summary import summary
from projections.views import job_row, job_view, judged_node_view
from projections.waiting import why_waiting
from tests.node.cli.job_on_log import START_MS, JobOnLog, append, claim_of, join, made

NOW_MS = START_MS + 60_000
NOOP = JobSpec(engine="noop")
CLAIM = claim_of(b"")
PAIR = Deal(replicas=2)


@pytest.fixture
def log() -> MemoryLog:
    """Return a log without a server."""
    return MemoryLog()


async def started(log: MemoryLog, spec: JobSpec = NOOP, *, requester: bool = True) -> JobOnLog:
    """Begin a job on a network that has a requester."""
    if requester:
        await join(log, "req", "requester")
    job = JobOnLog(log)
    await job.submit(MemoryBlobs(), spec)
    return job


async def folded(log: MemoryLog, job: JobOnLog) -> Loaded:
    """Fold the job and the nodes."""
    return await load_job(log, job.id, with_nodes=True)


async def reasons(log: MemoryLog, job: JobOnLog) -> dict[str, tuple[str | None, str]]:
    """Return node and message of every reason to wait, by its code."""
    found = await folded(log, job)
    return {
        reason["code"]: (reason["node"], reason["message"])
        for reason in why_waiting(found.job, found.nodes, NOW_MS)
    }


async def test_a_view_is_plain_json(log: MemoryLog) -> None:
    """What a view holds can be sent as it is, at every stage of a job."""
    job = await started(log)
    view = {}
    for step in (job.plan(), job.award("n1"), job.finish("n1", CLAIM), job.complete()):
        await step
        found = await folded(log, job)
        view = job_view(found.job, found.nodes, found.timeline, now_ms=NOW_MS)
        assert json.loads(json.dumps(view)) == view
    assert view["state"] == "completed"
    assert view["shards"][0]["verdict"]["accepted"] == [f"{job.id}-0-0"]


async def test_a_view_tells_what_was_illegal(log: MemoryLog) -> None:
    """A skipped item stands in the view with the state it met and why it was skipped."""
    job = await started(log)
    await job.plan()
    await job.award("n1")
    await job.finish("thief", CLAIM)
    found = await folded(log, job)
    view = job_view(found.job, found.nodes, now_ms=NOW_MS)
    assert view["counts"]["illegal"] == 1
    assert view["illegal"][0]["author"] == "thief"
    assert "n1's execution" in view["illegal"][0]["why"]


async def test_a_failed_job_says_why(log: MemoryLog) -> None:
    """Code, reason and exit code are in the view and in the row."""
    job = await started(log)
    await job.plan()
    await job.append(ShardsFailed, "r1", shards=(ShardFailure(0, "infrastructure", "no luck"),))
    await job.append(JobFailed, "r1", code="infrastructure", reason="shard 0: no luck")
    found = await folded(log, job)
    view = job_view(found.job, found.nodes, now_ms=NOW_MS)
    assert (view["state"], view["code"]) == ("failed", "infrastructure")
    assert view["shards"][0]["reason"] == "no luck"
    assert job_row(found.job)["shards"] == {
        "total": 1,
        "completed": 0,
        "failed": 1,
        "cancelled": 0,
    }
    assert view["why_waiting"] == []


async def test_the_timeline_is_bounded_by_kinds(log: MemoryLog) -> None:
    """Repeats of a kind make its stretch longer, not the timeline."""
    job = await started(log)
    await job.plan(shards=3)
    for shard in range(3):
        await job.append(ShardsAwarded, "r1", awards=(Award(shard, 0, "n1"),), until_ms=2**50)
    rows = {row["kind"]: row for row in (await folded(log, job)).timeline.rows()}
    assert rows["shards.awarded"]["events"] == 3
    assert rows["shards.awarded"]["first"] < rows["shards.awarded"]["last"]
    assert len(rows) == 3


async def test_nobody_to_decide_is_a_reason(log: MemoryLog) -> None:
    """Without a requester a job waits for one, and the reason says how to start it."""
    job = await started(log, requester=False)
    found = await reasons(log, job)
    assert "lota node serve" in found["no_requester"][1]
    assert "unplanned" in found


async def test_a_requester_that_drains_decides_on(log: MemoryLog) -> None:
    """Where no other is there, the one that drains does not leave jobs lying."""
    job = await started(log)
    member = (await folded(log, job)).nodes.members["req"]
    data = NodeDrainedData(incarnation=member.incarnation)
    await append(log, made(NodeDrained, NET, "req", START_MS, data), "req")
    assert "no_requester" not in await reasons(log, job)


async def test_too_few_nodes_are_counted(log: MemoryLog) -> None:
    """Two replicas and one node that can run them: both numbers are given."""
    await join(log, "n1", "compute", engines=("noop",), cpu=4, memory_bytes=2**40, disk_bytes=2**40)
    await join(log, "n2", "compute", engines=("docker",))
    job = await started(log, JobSpec(engine="noop", deal=PAIR))
    await job.plan()
    found = await reasons(log, job)
    assert "2 distinct node(s), and 1 of the 2 known" in found["too_few_nodes"][1]
    assert found["cannot_run"][0] == "n2"
    assert "does not run engine noop" in found["cannot_run"][1]


async def test_declines_and_silence_are_told_apart(log: MemoryLog) -> None:
    """Who said no is shown with the reason, who said nothing as that."""
    for node in ("n1", "n2"):
        await join(
            log, node, "compute", engines=("noop",), cpu=4, memory_bytes=2**40, disk_bytes=2**40
        )
    job = await started(log)
    await job.plan(offers=(Offer(((0, 1),), ("n1", "n2")),), bids_until_ms=2**50)
    await job.append(BidsDeclined, "n1", declines=(Decline(0, "full", "its queue is full"),))
    found = await reasons(log, job)
    assert found["declined"] == ("n1", "it declined: its queue is full (full)")
    assert found["no_answer"][0] == "n2"


async def test_a_shard_that_runs_has_no_old_declines(log: MemoryLog) -> None:
    """Who declined what runs elsewhere by now is no reason to wait."""
    job = await started(log)
    await job.plan(offers=(Offer(((0, 1),), ("n1", "n2")),), bids_until_ms=2**50)
    await job.append(BidsDeclined, "n1", declines=(Decline(0, "full", "its queue is full"),))
    await job.append(BidsPlaced, "n2", bids=(Bid(0, 5),))
    await job.award("n2")
    assert await reasons(log, job) == {}


async def test_who_has_still_to_reveal_is_named(log: MemoryLog) -> None:
    """A commitment that nobody has opened is what the verdict waits for."""
    job = await started(log, JobSpec(engine="noop", deal=PAIR))
    await job.plan()
    await job.award("n1", "n2")
    for attempt, node in enumerate(("n1", "n2")):
        proposals = (Proposal(0, attempt, commitment="ab" * 32),)
        await job.append(ResultsProposed, node, proposals=proposals)
    assert "unjudged" in await reasons(log, job)
    asked = (ExecutionRef(0, 0), ExecutionRef(0, 1))
    await job.append(RevealsRequested, "r1", executions=asked, until_ms=2**50)
    found = await folded(log, job)
    waiting = why_waiting(found.job, found.nodes, NOW_MS)
    assert {(r["code"], r["node"]) for r in waiting} == {
        ("not_revealed", "n1"),
        ("not_revealed", "n2"),
    }


async def test_a_failed_publication_is_a_reason(log: MemoryLog) -> None:
    """An upload that is tried again is shown with what went wrong."""
    spec = JobSpec(engine="noop", deal=PAIR, publishers=(PublisherSpec(driver="local"),))
    job = await started(log, spec)
    await job.plan()
    await job.award("n1", "n2")
    await job.agree({"n1": CLAIM, "n2": CLAIM}, publish=True)
    assert (await reasons(log, job))["publishing"] == ("n1", "it publishes to local")
    failure = PublishFailure(0, 0, 0, "io", "the disk is full")
    await job.append(PublishFailed, "n1", failures=(failure,))
    assert "the disk is full" in (await reasons(log, job))["publish_failed"][1]


async def test_a_publisher_of_nobody_is_a_reason(log: MemoryLog) -> None:
    """Where nobody who agreed can publish, each is named with what it lacks."""
    spec = JobSpec(
        engine="noop", deal=PAIR, publishers=(PublisherSpec("s3", "lab-results", "lab"),)
    )
    job = await started(log, spec)
    await join(log, "n1", "compute", engines=("noop",), publishers=("s3",), credentials=("x",))
    await job.plan()
    await job.award("n1", "n2")
    await job.agree({"n1": CLAIM, "n2": CLAIM})
    found = await folded(log, job)
    reasons = why_waiting(found.job, found.nodes, NOW_MS)
    assert {(r["node"], r["code"], r["message"]) for r in reasons} == {
        (name, "cannot_publish", f"it agreed, and cannot publish to s3: {why}")
        for name, why in (("n1", "it has no credential 'lab'"), ("n2", "it is unknown"))
    }


async def test_a_node_is_shown_with_its_standing(log: MemoryLog) -> None:
    """Capabilities and verdicts of a node are in its document."""
    await join(log, "n1", "compute", engines=("noop",), labels={"zone": "a"})
    job = await started(log, JobSpec(engine="noop", deal=PAIR))
    await job.plan()
    await job.award("n1", "n2")
    await job.agree({"n1": CLAIM, "n2": CLAIM})
    network = Network()
    async for records in log.read():
        for record in records:
            network.fold(record)
    view = judged_node_view(network.nodes.members["n1"])
    assert (view["agreed"], view["differed"], view["state"]) == (1, 0, "live")
    assert json.loads(json.dumps(view))["labels"] == {"zone": "a"}


async def test_every_event_has_its_line(log: MemoryLog) -> None:
    """A summary is one short line that names what the event is about."""
    job = await started(log, JobSpec(engine="process", command=("a\nb", "x" * 500)))
    await job.plan(shards=9, offers=(Offer(((0, 9),), ("n1",)),), bids_until_ms=1)
    more = (Offer(((0, 9),), tuple(f"n{n}" for n in range(9))),)
    await job.append(ShardsOffered, "r1", members=1, offers=more, bids_until_ms=1)
    awards = tuple(Award(shard, 0, "n1") for shard in range(9))
    await job.append(ShardsAwarded, "r1", awards=awards, until_ms=1)
    lines = []
    async for records in log.read(("lota.ev.*.*.g.>", "lota.ev.*.*.r.>")):
        lines += [summary(read_entry(record).event) for record in records]
    assert lines[0].startswith("process: a b xxx")
    assert lines[1] == "9 shard(s); offered to n1"
    assert lines[2] == "offered to n0, n1, n2, n3 and 5 more"
    assert lines[3] == "9 to n1"
    assert all(len(line) < 200 and "\n" not in line for line in lines)
