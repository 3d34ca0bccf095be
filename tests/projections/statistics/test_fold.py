"""What each event adds: beside an oracle that looks at whole histories, and case by case."""

import msgspec
import pytest

from events.decisions import JobCancelled, JobCancelledData, NodeLost, NodeLostData
from events.entry import Entry
from events.facts import ExecutionsFailed, ExecutionsFailedData, NodeLeft, NodeLeftData
from events.items import Capabilities, Failure
from events.log import Record
from events.subjects import NET
from projections.network import Network
from projections.statistics.bucket import Bucket
from projections.statistics.classes import CLASSES_MAX
from projections.statistics.fold import Fold
from projections.statistics.histogram import total
from projections.statistics.levels import EVER, SECOND
from tests.projections.conversation import START_MS, Conversation, compute
from tests.projections.statistics.counted import Oracle, count, ever, taken
from tests.projections.story import folded, story
from tests.simulation.stage import FREE, LINKED, Stage

SEEDS = (*range(12), 1055, 1233)


class Counted(Conversation):
    """A conversation that is counted as it goes on."""

    def __init__(self) -> None:
        self.counting: Fold | None = None
        super().__init__(nodes=())
        self.counting = Fold(self.network)

    def fold(self, name: str, body: bytes) -> Entry | None:
        entry = super().fold(name, body)
        if self.counting is not None:
            assert self.last is not None
            self.counting.note(self.last, entry, self.network)
        return entry

    def counted(self) -> Bucket:
        """Return what was counted since this was asked last."""
        assert self.counting is not None
        return taken(self.counting)[EVER][0]


def _of_job(record: Record) -> bool:
    """Whether it is a fact about a job."""
    return ".c." in record.subject and ".net." not in record.subject


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_are_those_of_whole_histories(seed: int) -> None:
    """Under crashes, liars, repeats and late facts, every number is what the histories give."""
    bucket, oracle = ever(story(seed)), Oracle(story(seed))

    assert bucket.counts == oracle.counts()
    assert bucket.histograms == oracle.histograms()
    assert bucket.gauges.items() >= oracle.gauges().items()


@pytest.mark.parametrize("seed", [3, 1055])
def test_repeats_count_as_repeats(seed: int) -> None:
    """A log in which each fact of a job stands twice has the same numbers, and more is late."""
    once = story(seed)
    twice = [record for message in once for record in [message] * (2 if _of_job(message) else 1)]
    twice = [Record(n, record.subject, record.body) for n, record in enumerate(twice, 1)]
    first, second = ever(once), ever(twice)

    def plain(bucket: Bucket) -> dict[str, int]:
        odd = ("events.", "bytes", "late", "illegal", "foreign", "newer")
        return {name: n for name, n in bucket.counts.items() if not name.startswith(odd)}

    assert plain(first) == plain(second)
    assert second.counts["late"] > first.counts.get("late", 0)


def test_several_publishers_and_the_root() -> None:
    """Each slot that is filled counts once, of shards and of the job's root."""
    stage = Stage(nodes=3)
    stage.open()
    stage.submit(replicas=3, shards=4, publishers=(FREE, LINKED))
    stage.play()
    records = stage.wire.log.records(limit=1 << 20)
    oracle = Oracle(records)
    roots = oracle.network.jobs or {"job": stage.job}

    assert ever(records).counts["publications.published"] == 4 * 2 + sum(
        root.state == "published" for job in roots.values() for root in job.roots.values()
    )
    assert ever(records).counts == oracle.counts()


def test_gauges_follow_without_a_fold_from_nothing() -> None:
    """At any point of a log the gauges that were kept are those worked out from the fold."""
    records = story(5)
    network = Network()
    fold = Fold(network)
    for number, record in enumerate(records):
        fold.note(record, network.fold(record), network)
        if number % 10 == 0:
            assert fold.gauges.values() == Fold(folded(records[: number + 1])).gauges.values()


def test_cancelled_executions_no_longer_run() -> None:
    """The end of a job frees what its executions had, and is their end."""
    talk = Counted()
    for node in ("n0", "n1", "n2"):
        talk.join(node, compute())
    talk.submit(replicas=2, shards=3)
    talk.plan(shards=3)
    talk.award((0, 0, "n0"), (0, 1, "n1"), (1, 0, "n0"))
    running = talk.counted()
    talk.decide(JobCancelled, JobCancelledData, reason="enough")
    ended = talk.counted()

    assert (running.gauges["running"], running.gauges["queue"]) == (3, 2)
    assert (ended.peaks["running"], ended.peaks["queue"]) == (3, 2)
    assert running.gauges["used.cpu"] == 3 * round(1000 * talk.job.spec.resources.cpu)
    assert (ended.gauges["running"], ended.gauges["queue"], ended.gauges["used.cpu"]) == (0, 0, 0)
    assert ended.counts["executions.cancelled"] == 3
    assert ended.counts["shards.cancelled"] == 3
    assert (running.gauges["open_jobs"], ended.gauges["open_jobs"]) == (1, 0)


def test_nodes_come_and_go() -> None:
    """Capacity is declared by nodes that are live and compute, whatever they did before."""
    talk = Counted()
    talk.join("n0", compute(width=4))
    talk.join("n0", compute(width=8), life="2")
    talk.join("n1", compute(width=1))
    talk.join("r1", Capabilities(roles=("requester",), cpu=64.0))
    there = talk.counted().gauges
    lost = NodeLostData(
        seen=0, seal="", policy="test", node="n1", incarnation="n1-1", reason="silent"
    )
    talk.tell("r0", NodeLost, lost, NET)
    talk.tell("n0", NodeLeft, NodeLeftData(incarnation="n0-1"), NET)
    left = talk.counted().gauges

    assert (there["nodes"], there["declared.width"], there["declared.cpu"]) == (4, 9, 16_000)
    assert (left["nodes"], left["declared.width"], left["declared.cpu"]) == (3, 8, 8_000)


@pytest.mark.parametrize("cpu", [-1.0, 1e308, 0.1])
def test_made_up_capacity_has_bounds(cpu: float) -> None:
    """What a node says of itself is taken within reason, and goes away with it to the last bit."""
    talk = Counted()
    can = Capabilities(roles=("compute",), cpu=cpu, memory_bytes=-5, width=-5)
    talk.join("n0", can)
    there = talk.counted().gauges
    talk.tell("n0", NodeLeft, NodeLeftData(incarnation="n0-1"), NET)

    assert 0 <= there["declared.cpu"] <= 10**9
    assert (there["declared.memory_bytes"], there["declared.width"]) == (0, 0)
    assert talk.counted().gauges["declared.cpu"] == 0


def test_failures_count_by_class() -> None:
    """A node's code is the class; what is no word, and ever new words, are `other`."""
    talk = Counted()
    talk.join("n0", compute())
    talk.submit(shards=CLASSES_MAX + 2)
    talk.plan(shards=CLASSES_MAX + 2)
    codes = ["<script>", "timeout", *(f"made-up-{number}" for number in range(CLASSES_MAX))]
    talk.award(*((index, 0, "n0") for index in range(len(codes))))
    failures = tuple(Failure(index, 0, code, "") for index, code in enumerate(codes))
    talk.tell("n0", ExecutionsFailed, ExecutionsFailedData(failures=failures))
    counts = talk.counted().counts
    classes = {name: n for name, n in counts.items() if name.startswith("failures.execution.")}

    assert counts["failures.execution.timeout"] == 1
    assert counts["failures.execution.other"] == 2
    assert len(classes) == CLASSES_MAX + 1
    assert sum(classes.values()) == counts["executions.failed"] == len(codes)


def test_clocks_that_are_wrong() -> None:
    """An event counts at its time, not before what came earlier, nor behind when it was stored."""
    talk = Conversation(nodes=())
    records: list[Record] = []
    for node, after_s, stored_after_s in (
        ("a", 10, 10),
        ("behind", -86_400, 20),
        ("ahead", 86_400, 30),
        ("b", 31, 31),
    ):
        talk.now_ms = START_MS + after_s * 1000
        talk.join(node, compute())
        assert talk.last is not None
        record = msgspec.structs.replace(talk.last, position=len(records) + 1)
        records.append(msgspec.structs.replace(record, stored_ms=START_MS + stored_after_s * 1000))
    seconds = count(records)[SECOND]
    counted = {
        start - START_MS // 1000: b.counts["events.node.joined"] for start, b in seconds.items()
    }

    assert counted == {10: 2, 30: 1, 31: 1}


def test_foreign_messages_are_counted_as_that() -> None:
    """What is no event of ours counts as foreign, with its bytes, and as nothing else."""
    talk = Counted()
    talk.join("n0", compute())
    before = talk.counted().counts
    talk.fold(f"{talk.prefix}.r.mallory.a.b", b"\xff{")
    after = talk.counted().counts

    assert before["events.node.joined"] == 1
    assert after == {"foreign": 1, "bytes": 2}


def test_events_of_closed_jobs_are_late() -> None:
    """A late event counts alike whether its job is still in memory or not: once, as late."""
    records = story(5)
    facts = [record for record in records if _of_job(record)][:50]
    again = [Record(len(records) + n, r.subject, r.body) for n, r in enumerate(facts, 1)]

    def late(*, retire: bool) -> int:
        network = Network()
        fold = Fold(network)
        for record in (*records, *again):
            if record.position == len(records) + 1:
                taken(fold)
                closed = [job.id for job in network.jobs.values() if job.closed]
                for name in closed if retire else ():
                    network.retire(name)
            fold.note(record, network.fold(record), network)
        return taken(fold)[EVER][0].counts["late"]

    assert late(retire=True) == late(retire=False) == len(again)


def test_begins_with_what_stands_before_the_log() -> None:
    """Of jobs that began before the log does, the gauges are right and no time is made up."""
    records = story(5)
    cut = len(records) // 2
    network = folded(records[:cut])
    fold = Fold(network)
    before = fold.gauges.values()
    for record in records[cut:]:
        fold.note(record, network.fold(record), network)
    bucket, oracle = taken(fold)[EVER][0], Oracle(records)
    whole = oracle.histograms()

    assert before == Fold(folded(records[:cut])).gauges.values()
    assert bucket.gauges.items() >= oracle.gauges().items()
    assert total(bucket.histograms["latency.run"]) <= total(whole["latency.run"])
