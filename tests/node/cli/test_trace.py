"""`lota trace export` to a collector that takes OTLP over HTTP, as any does."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from events.jetstream import JetStreamLog
from events.spec import JobSpec
from node.otlp import LAST_MS, SpanSender
from projections import spans as job_trace
from tests.lota_process import LOTA, Machine
from tests.node.cli.conftest import Begin, Lota
from tests.node.cli.job_on_log import START_MS, JobOnLog, claim_of, join
from tests.servers.webhooks import Receiver, reply

CLAIM = claim_of(b"hello\n")
NS = 1_000_000


class Collector(Receiver):
    """Takes spans as they come over the wire."""

    @property
    def spans(self) -> list[Span]:
        """Every span that was taken, in the order of coming."""
        found = []
        for it in self.taken:
            assert (it.method, it.path) == ("POST", "/v1/traces")
            assert it.headers["content-type"] == "application/x-protobuf"
            for group in ExportTraceServiceRequest.FromString(it.body).resource_spans:
                (name,) = group.resource.attributes
                assert (name.key, name.value.string_value) == ("service.name", "lota")
                found += [span for scope in group.scope_spans for span in scope.spans]
        return found

    @property
    def endpoint(self) -> str:
        """Where its spans go, as a user names it."""
        return self.url.removesuffix("/hook")


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with Collector() as collector:
        yield collector


@pytest.fixture
async def job(begin: Begin, log: JetStreamLog) -> JobOnLog:
    """Tell a job of one shard to its end."""
    await join(log, "traced", "compute", engines=("noop",))
    job = await begin(JobSpec(engine="noop", name="census"))
    await told(job)
    return job


async def told(job: JobOnLog) -> None:
    await job.plan()
    await job.award("traced")
    await job.finish("traced", CLAIM)
    await job.complete()


def text(span: Span, name: str) -> str:
    """Return an attribute."""
    return str(next(it.value.string_value for it in span.attributes if it.key == name))


async def test_a_job_is_sent_as_a_trace(lota: Lota, job: JobOnLog, collector: Collector) -> None:
    """The collector has the job's spans, and the command has printed how to find them."""
    ran = await lota("trace", "export", job.id, "--endpoint", collector.endpoint)
    assert ran.code == 0, ran.err
    root, shard, execution = collector.spans
    assert ran.out == f"{root.trace_id.hex()} {job.id}\n"
    assert [root.name, shard.name, execution.name] == ["job", "shard", "execution"]
    assert [root.parent_span_id, shard.parent_span_id] == [b"", root.span_id]
    assert execution.parent_span_id == shard.span_id
    assert text(root, "lota.job.name") == "census"
    assert text(execution, "lota.node") == "traced"
    assert (root.start_time_unix_nano, root.end_time_unix_nano) == (
        START_MS * NS,
        (START_MS + 2_000) * NS,
    )
    assert [it.name for it in execution.events] == ["awarded", "accepted"]
    assert {span.status.code for span in collector.spans} == {Status.STATUS_CODE_OK}


async def test_sending_again_sends_the_same(
    lota: Lota, job: JobOnLog, collector: Collector, tmp_path: Path
) -> None:
    """A second time, and from an export of the log, come byte by byte the same spans."""
    file = tmp_path / "log.jsonl"
    await lota("events", "export", "-o", str(file))
    words = ("trace", "export", job.id, "--endpoint", collector.endpoint)
    await lota(*words)
    await lota(*words)
    ran = await Machine(tmp_path).run(*words, "--from", file)
    assert ran.code == 0, ran.err
    first, again, exported = (it.body for it in collector.taken)
    assert first == again == exported


async def test_times_that_no_clock_has(collector: Collector) -> None:
    """A time that OTLP has no number for, as an event may say, is sent as the first or the last."""
    marks = (("before", -1), ("after", LAST_MS + 1))
    wrong = job_trace.Span("ab" * 16, "cd" * 8, "", "job", -1, LAST_MS + 1, {}, marks)
    sender = SpanSender(collector.endpoint)
    await sender.send([wrong])
    sender.close()
    (span,) = collector.spans
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (0, LAST_MS * NS)
    assert [it.time_unix_nano for it in span.events] == [0, LAST_MS * NS]


async def test_only_jobs_that_ended_since(
    lota: Lota, begin: Begin, log: JetStreamLog, job: JobOnLog, collector: Collector
) -> None:
    """With --since, jobs that ended before are left out, and so are those that have not ended."""
    since = await log.last() + 1
    newer = await begin(JobSpec(engine="noop"))
    still_open = await begin(JobSpec(engine="noop"))
    await told(newer)
    ran = await lota("trace", "export", "--since", str(since), "--endpoint", collector.endpoint)
    assert ran.code == 0, ran.err
    assert [line.split()[1] for line in ran.out.splitlines()] == [newer.id]
    assert "not ended and are left out" in ran.err
    assert still_open.id not in ran.out


async def test_a_beginning_that_leaves_nothing(
    lota: Lota, log: JetStreamLog, job: JobOnLog, collector: Collector
) -> None:
    """A point beyond the end is wrong usage; a job that ended before the point is named."""
    words = ("trace", "export", job.id, "--endpoint", collector.endpoint, "--since")
    last = await log.last()
    beyond = await lota(*words, str(last + 2))
    assert beyond.code == 2
    assert "beyond the end of the log" in beyond.err
    before = await lota(*words, str(last + 1))
    assert before.code == 1
    assert f"job {job.id} is not told" in before.err
    assert not collector.delivered


async def test_following_sends_a_job_when_it_ends(
    begin: Begin, log: JetStreamLog, nats_url: str, collector: Collector, tmp_path: Path
) -> None:
    """With --follow jobs are sent as they end, also when the collector has refused them once."""
    collector.answer = lambda _: reply(200 if len(collector.delivered) else 400)
    first, second = await begin(JobSpec(engine="noop")), await begin(JobSpec(engine="noop"))
    since = ("--since", str(await log.last()))
    words = ("trace", "export", "--follow", *since, "--endpoint", collector.endpoint)
    async with Machine(tmp_path).start(LOTA, *words, "--server", nats_url) as command:
        await told(first)
        await command.line("they are sent again")
        await command.line(first.id)
        await told(second)
        await command.line(second.id)
        assert (await command.interrupt()).code == 130
    jobs = [text(span, "lota.job.id") for span in collector.spans if span.name == "job"]
    assert jobs == [first.id, second.id]


async def test_a_job_is_waited_for(
    begin: Begin, nats_url: str, collector: Collector, tmp_path: Path
) -> None:
    """With --follow and a job, the command ends when the job has ended and was sent."""
    job = await begin(JobSpec(engine="noop"))
    words = ("trace", "export", job.id, "--follow", "--endpoint", collector.endpoint)
    async with Machine(tmp_path).start(LOTA, *words, "--server", nats_url) as command:
        await told(job)
        assert (await command.end()).code == 0
    assert text(collector.spans[0], "lota.job.id") == job.id


async def test_a_job_that_has_not_ended(lota: Lota, begin: Begin, collector: Collector) -> None:
    """Who asks for the trace of a job that runs is told to wait for it, and nothing is sent."""
    job = await begin(JobSpec(engine="noop"))
    ran = await lota("trace", "export", job.id, "--endpoint", collector.endpoint)
    assert ran.code == 1
    assert f"job {job.id} has not ended" in ran.err
    assert "--follow" in ran.err
    assert not collector.delivered


async def test_a_collector_that_refuses(lota: Lota, job: JobOnLog, collector: Collector) -> None:
    """What a collector does not take is an error that says why, and no trace id is printed."""
    collector.answer = lambda _: reply(400)
    ran = await lota("trace", "export", job.id, "--endpoint", collector.endpoint)
    assert (ran.code, ran.out) == (1, "")
    assert "did not take the spans" in ran.err
    assert "400" in ran.err


@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://localhost:4317", "http://", ""])
async def test_an_endpoint_that_is_no_url(lota: Lota, endpoint: str) -> None:
    """What is no URL is wrong usage, told before anything is read."""
    ran = await lota("trace", "export", "--endpoint", endpoint)
    assert ran.code == 2
    assert "is no URL" in ran.err


def test_without_the_extra() -> None:
    """Without the packages of OpenTelemetry the command says what to install."""
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from node.cli.main import main; sys.exit(main(['trace', 'export']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )
    assert ran.returncode == 1
    assert "opentelemetry" in ran.stderr
    assert "install lota[otel]" in ran.stderr
