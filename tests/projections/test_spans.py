"""Spans: a job's events as a trace, the same whenever they are folded."""

import pytest

from events.decisions import (
    ExecutionsLost,
    ExecutionsLostData,
    JobCompleted,
    JobCompletedData,
    JobFailed,
    JobFailedData,
)
from events.entry import Entry
from events.facts import (
    PublishFailed,
    PublishFailedData,
    ResultsPublished,
    ResultsPublishedData,
)
from events.items import Loss, Manifest, Publication, PublishFailure
from events.requests import JobSubmitted, JobSubmittedData
from events.spec import digest
from projections.network import Network
from projections.spans import Span, begin_trace, spans
from projections.state import Job
from projections.traces import Traces
from tests.projections.conversation import CLAIM, START_MS, Conversation, spec_of
from tests.projections.story import story

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
SEEDS = (3, 14, 1055)
JOB = "job0"
IDS = ["6470a7f5a9cc889739f70a4415570ede", "e915f2c84fd3711c", ""]
"""What follows from that job's id: the ids of its trace, its span and that one's parent."""


class Traced(Conversation):
    """A conversation whose job's trace is gathered; it is submitted under a span."""

    def __init__(self) -> None:
        self.trace = begin_trace()
        super().__init__()
        spec = spec_of(replicas=2, publishers=("free",))
        data = JobSubmittedData(spec=spec, digest=digest(spec))
        under = f"00-{TRACE}-{CALLER}-01"
        self.tell("client", lambda **said: JobSubmitted(traceparent=under, **said), data)
        self.plan()

    def fold(self, name: str, body: bytes) -> Entry | None:
        entry = super().fold(name, body)
        if entry is not None and entry.address.job in self.network.jobs:
            self.trace.note(self.job, entry)
        return entry

    def after(self, ms: int) -> "Traced":
        """Let time pass."""
        self.now_ms += ms
        return self

    def spans(self) -> dict[str, list[Span]]:
        """Return the spans by name."""
        found: dict[str, list[Span]] = {}
        for span in spans(self.job, self.trace):
            found.setdefault(span.name, []).append(span)
        return found


def completed() -> Traced:
    """Tell a job of which a node was lost, a publication failed, and all else went well."""
    talk = Traced()
    talk.after(10).award((0, 0, "n0"), (0, 1, "n1"))
    talk.after(10).decide(ExecutionsLost, ExecutionsLostData, members=0, lost=(Loss(0, 1, "gone"),))
    talk.after(10).award((0, 2, "n2"))
    talk.after(10).propose("n0", 0)
    talk.propose("n2", 2)
    talk.ask(0, 2)
    talk.reveal("n0", 0)
    talk.reveal("n2", 2)
    talk.after(10).judge(0, 2, publish=(0,))
    failed = PublishFailure(0, 0, 0, "refused", "no credit", permanent=True)
    talk.after(10).tell("n0", PublishFailed, PublishFailedData(failures=(failed,)))
    talk.after(10).assign(0, 2)
    copy = Publication(0, 0, 2, "file:///there", CLAIM.cid, CLAIM.dag_size_bytes, 5)
    talk.after(10).tell("n2", ResultsPublished, ResultsPublishedData(publications=(copy,)))
    talk.after(10).decide(
        JobCompleted,
        JobCompletedData,
        members=0,
        root_cid="bafyroot",
        dag_size_bytes=1,
        manifest=Manifest(count=0),
        closed=True,
    )
    return talk


def lasted(span: Span) -> tuple[int, int]:
    """Return when a span began and ended, in milliseconds since the submission."""
    return span.start_ms - START_MS, span.end_ms - START_MS


def test_a_job_is_a_trace() -> None:
    """The job, its shards, executions and publications are spans with the times of their events."""
    found = completed().spans()
    assert {name: [lasted(span) for span in several] for name, several in found.items()} == {
        "job": [(0, 90)],
        "shard": [(0, 80)],
        "execution": [(10, 50), (10, 20), (30, 50)],
        "publication": [(50, 60), (70, 80)],
    }
    (job,), (shard,) = found["job"], found["shard"]
    assert {span.parent_id for span in found["execution"] + found["publication"]} == {shard.span_id}
    assert shard.parent_id == job.span_id
    assert shard.attributes["lota.shard.publish_ms"] == 30


def test_what_came_to_nothing_is_a_failure() -> None:
    """Of a lost execution and a failed publication the spans say why, and of nothing else."""
    found = completed().spans()
    assert [span.failure for span in found["execution"]] == ["", "gone", ""]
    assert [span.failure for span in found["publication"]] == ["refused: no credit", ""]
    assert [span.attributes["lota.publication.uri"] for span in found["publication"]] == [
        "",
        "file:///there",
    ]
    assert found["job"][0].failure == ""


def test_a_job_stands_under_the_span_it_was_submitted_under() -> None:
    """The caller's trace goes on in the job's spans, and the job's parent is the caller's span."""
    found = [span for several in completed().spans().values() for span in several]
    assert {span.trace_id for span in found} == {TRACE}
    assert found[0].parent_id == CALLER


def test_what_is_open_ends_with_its_job() -> None:
    """When a job fails, its executions and shards that were under way end at that time."""
    talk = Traced()
    talk.after(10).award((0, 0, "n0"), (0, 1, "n1"))
    talk.after(10).decide(
        JobFailed, JobFailedData, members=0, code="deadline", reason="too late", closed=False
    )
    found = talk.spans()
    assert [lasted(span) for span in found["execution"]] == [(10, 20), (10, 20)]
    assert lasted(found["shard"][0]) == (0, 20)
    assert found["job"][0].failure == "too late"


def test_clocks_that_disagree_make_no_negative_time() -> None:
    """A fact whose author's clock is behind ends no span before its beginning."""
    talk = Traced()
    talk.after(10).award((0, 0, "n0"), (0, 1, "n1"))
    talk.after(-500).propose("n0", 0)
    talk.after(510).decide(
        JobFailed, JobFailedData, members=0, code="deadline", reason="too late", closed=False
    )
    (execution, _), (shard,) = talk.spans()["execution"], talk.spans()["shard"]
    assert (lasted(execution), lasted(shard)) == ((10, 20), (0, 20))


def told(seed: int) -> list[tuple[Job, list[Span]]]:
    """Return the jobs of a simulated network that ended, as they were then, with their traces."""
    whole, traces = Network(), Traces(Network())
    found = []
    for record in story(seed):
        entry = whole.fold(record)
        ended = traces.fold(record)
        if ended is not None and entry is not None:
            found.append((whole.jobs[entry.address.job], list(ended)))
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_every_log_makes_sound_traces(seed: int) -> None:
    """In whatever happens, each span has an id of its own and lies within its parent."""
    traces = told(seed)
    assert len(traces) > 3
    ids = [span.span_id for _, found in traces for span in found]
    assert len(set(ids)) == len(ids)
    for _, found in traces:
        by_id = {span.span_id: span for span in found}
        assert found[0].parent_id == ""
        for span in found[1:]:
            parent = by_id[span.parent_id]
            assert parent.start_ms <= span.start_ms <= span.end_ms <= parent.end_ms
            assert span.trace_id == parent.trace_id


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_a_job_is_left_out(seed: int) -> None:
    """A trace has a span for each shard, each execution, and each copy that was published."""
    for job, found in told(seed):
        names = [span.name for span in found]
        executions = [execution for shard in job.shards for execution in shard.executions]
        slots = [slot for shard in job.shards for slot in shard.slots.values()]
        copied = [s for s in found if s.attributes.get("lota.publication.state") == "published"]
        assert names.count("job") == 1
        assert names.count("shard") == len(job.shards)
        assert names.count("execution") == len(executions)
        assert len(copied) == sum(slot.state == "published" for slot in slots)


def test_a_trace_is_the_same_each_time() -> None:
    """Folding a log again gives the same spans, ids included."""
    first, again = ([found for _, found in told(SEEDS[-1])] for _ in range(2))
    assert first == again
    roots = {found[0].attributes["lota.job.id"]: found[0] for found in first}
    assert [*roots[JOB][:3]] == IDS
