"""Rows of the read models: what they say, and that no event is missed."""

from typing import Any

import msgspec
import pytest

from events.commitment import commit
from events.decisions import JobCancelled, JobFailed, NodeQuarantined
from events.facts import ResultsProposed
from events.items import Proposal
from events.memory import MemoryBlobs, MemoryLog
from events.spec import Deal, JobSpec, PublisherSpec
from events.subjects import NET
from projections.network import Network
from projections.nodes import Node
from projections.rows import VERSIONS, Touched, job_rows, node_rows
from tests.node.cli.job_on_log import NONCE, START_MS, JobOnLog, append, claim_of, join, made
from tests.projections.story import log_of, story

CLAIM = claim_of(b"hello")
LOCAL = PublisherSpec(driver="local")


class Model:
    """The rows of a log as they grow, event by event."""

    def __init__(self, log: MemoryLog) -> None:
        self.network = Network()
        self.rows: dict[str, dict[str, bytes]] = {name: {} for name in VERSIONS}
        self._log = log

    def read(self, limit: int = 1 << 20) -> int:
        """Fold what is new, up to a limit, and return how many messages that was."""
        records = self._log.records(after=self.network.position, limit=limit)
        for record in records:
            entry = self.network.fold(record)
            if entry is not None:
                touched = Touched()
                touched.add(entry, self.network)
                self._apply(touched)
        return len(records)

    def _apply(self, touched: Touched) -> None:
        rows = [*node_rows(touched, self.network), *job_rows(touched, self.network)]
        for projection, key, body in rows:
            if body is None:
                self.rows[projection].pop(key, None)
            else:
                self.rows[projection][key] = body

    def all_touched(self) -> "Model":
        """Return a model of the same fold in which every row was made anew."""
        anew = Model(self._log)
        anew.network = self.network
        touched = Touched()
        touched.jobs = dict.fromkeys(self.network.jobs)
        touched.nodes = dict.fromkeys(self.network.nodes.members)
        anew._apply(touched)
        return anew

    def of(self, projection: str) -> list[dict[str, Any]]:
        """Return the bodies of a projection, by key."""
        rows = self.rows[projection]
        return [msgspec.json.decode(rows[key]) for key in sorted(rows)]


async def submitted(spec: JobSpec) -> tuple[MemoryLog, JobOnLog]:
    log = MemoryLog()
    job = JobOnLog(log)
    await job.submit(MemoryBlobs(), spec)
    return log, job


def read(log: MemoryLog) -> Model:
    model = Model(log)
    model.read()
    return model


@pytest.mark.parametrize("seed", [3, 5, 7, 1055])
def test_no_event_is_missed(seed: int) -> None:
    """Rows written for what each event touches are, after any event, those of the whole fold."""
    model = Model(log_of(story(seed)))
    while model.read(limit=5):
        assert model.rows == model.all_touched().rows


async def test_job_row_says_how_it_stands() -> None:
    """The row of a job follows it from submission to result, and stays when it is closed."""
    log, job = await submitted(JobSpec(engine="noop", name="n", labels={"b": "1", "a": "2"}))
    first = read(log).of("jobs")[0]
    await job.plan(shards=1)
    await job.award("c1")
    await job.finish("c1", CLAIM)
    await job.complete("bafyroot")
    last = read(log).of("jobs")[0]

    assert (first["id"], first["name"], first["state"], first["shards"]) == (
        job.id,
        "n",
        "submitted",
        0,
    )
    assert (last["state"], last["closed"], last["shards"], last["completed"]) == (
        "completed",
        True,
        1,
        1,
    )
    assert last["root_cid"] == "bafyroot"
    assert last["ended_at"] > last["submitted_at"] == first["submitted_at"]


async def test_failure_reaches_every_row() -> None:
    """When a job fails as a whole, what was open of it is over in every projection."""
    log, job = await submitted(JobSpec(engine="noop", deal=Deal(replicas=2)))
    await job.plan(shards=1)
    await job.award("c1", "c2")
    sealed = commit(job.id, 0, 0, "c1", CLAIM, NONCE)
    await job.append(ResultsProposed, "c1", proposals=(Proposal(0, 0, commitment=sealed),))
    waiting = read(log).of("verification")
    await job.append(JobFailed, "r1", code="deadline", reason="too late")
    model = read(log)

    assert [(row["committed"], row["running"]) for row in waiting] == [([0], [1])]
    assert model.of("verification") == []
    assert [row["state"] for row in model.of("executions")] == ["cancelled", "cancelled"]
    assert (model.of("jobs")[0]["code"], model.of("jobs")[0]["cancelled"]) == ("deadline", 1)


async def test_verification_waits_for_the_verdict() -> None:
    """A shard waits for judgement from its first commitment to its verdict."""
    log, job = await submitted(JobSpec(engine="noop", deal=Deal(replicas=2)))
    await job.plan(shards=1)
    await job.award("c1", "c2")
    before = read(log).of("verification")
    await job.agree({"c1": CLAIM, "c2": CLAIM})
    model, states = Model(log), []
    while model.read(limit=1):
        states.append([(r["asked"], r["revealed"], r["running"]) for r in model.of("verification")])

    assert before == []
    assert states[-6:] == [
        [([], [], [1])],
        [([], [], [])],
        [([0, 1], [], [])],
        [([0, 1], [0], [])],
        [([0, 1], [0, 1], [])],
        [],
    ]


async def test_published_slot_stays() -> None:
    """An upload that is waited for becomes, in the same row, the place of its copies."""
    spec = JobSpec(engine="noop", deal=Deal(replicas=2), publishers=(LOCAL,))
    log, job = await submitted(spec)
    await job.plan(shards=1)
    await job.award("c1", "c2")
    await job.agree({"c1": CLAIM, "c2": CLAIM}, publish=True)
    waiting = read(log).of("publication")
    await job.publish("c1", CLAIM, "file:///a")
    await job.complete()
    model = read(log)
    done = model.of("publication")

    assert [(row["state"], row["node"], row["driver"]) for row in waiting] == [
        ("assigned", "c1", "local")
    ]
    assert [(row["state"], row["copies"][0]["uri"]) for row in done] == [("published", "file:///a")]
    assert list(model.rows["publication"]) == [f"{job.id}/0/0"]


async def test_upload_of_a_cancelled_job_is_not_waited_for() -> None:
    """Nobody waits for an upload of a job that was cancelled."""
    spec = JobSpec(engine="noop", deal=Deal(replicas=2), publishers=(LOCAL,))
    log, job = await submitted(spec)
    await job.plan(shards=1)
    await job.award("c1", "c2")
    await job.agree({"c1": CLAIM, "c2": CLAIM}, publish=True)
    await job.append(JobCancelled, "r1", reason="changed my mind")

    assert read(log).of("publication") == []


async def test_late_events_change_no_row() -> None:
    """What comes after a job is closed changes nothing, so when it is forgotten does not matter."""
    log, job = await submitted(JobSpec(engine="noop"))
    await job.plan(shards=1)
    await job.award("c1")
    await job.finish("c1", CLAIM)
    await job.complete()
    before = read(log).rows
    await job.finish("c1", CLAIM)

    assert read(log).rows == before


async def test_node_row_is_all_of_the_node() -> None:
    """A node is restored from its row as it was: its life, its standing, its quarantine."""
    log, job = await submitted(JobSpec(engine="noop", deal=Deal(replicas=2)))
    for name in ("c1", "c2"):
        await join(log, name, "compute", engines=("noop",), labels={"zone": "a"})
    data = NodeQuarantined.__annotations__["data"](
        seen=2, seal="", policy="test", node="c2", reason="it lied", until_ms=5
    )
    await append(log, made(NodeQuarantined, NET, "r1", START_MS, data), "r1")
    await job.plan(shards=1)
    await job.award("c1", "c2")
    await job.agree({"c1": CLAIM, "c2": CLAIM})
    model = read(log)
    restored = {
        name: msgspec.json.decode(body, type=Node) for name, body in model.rows["nodes"].items()
    }

    assert restored == model.network.nodes.members
    assert (restored["c2"].agreed, restored["c2"].reason) == (1, "it lied")


async def test_large_job_is_not_rewritten_by_each_event() -> None:
    """An event about one shard of many touches the rows of that shard and of its job."""
    log, job = await submitted(JobSpec(engine="noop"))
    await job.plan(shards=100_000)
    network, touched = Network(), Touched()
    network.fold(log.records()[0])
    network.fold(log.records()[1])
    await job.award("c1")
    entry = network.fold(log.records()[2])
    assert entry is not None
    touched.add(entry, network)

    assert [change[0] for change in job_rows(touched, network)] == [
        "jobs",
        "executions",
        "verification",
    ]
