"""The Python API on a real log."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry import trace

import events
from events.connection import connect
from events.decisions import JobCancelled, JobClosed, JobFailed
from events.errors import (
    CorruptEvent,
    EventError,
    InvalidSpec,
    LogUnavailable,
    LotaError,
    NotFound,
    UnknownEvent,
    WaitTimedOut,
    WrongUsage,
)
from events.ids import new_id
from events.jetstream import JetStreamLog, open_blobs, open_log
from events.jetstream.api import call
from events.log import Record
from events.requests import JobSubmitted
from events.spec import JobSpec
from events.subjects import requests, subject
from node.server import EmbeddedServer
from tests.node.cli.job_on_log import JobOnLog, claim_of

PATIENCE_S = 30
"""Less than the server takes to forget a reader by itself."""
NOOP = JobSpec(engine="noop")


@pytest.fixture
async def log(nats_url: str) -> AsyncIterator[JetStreamLog]:
    """Return the log, for what others write."""
    client = await connect(nats_url, name="test")
    log = await open_log(client)
    yield log
    await log.close()
    await client.close()


@pytest.fixture
async def lota(nats_url: str) -> AsyncIterator[events.Lota]:
    """Return the network as a program has it."""
    async with events.connect(nats_url, name="program") as lota:
        yield lota


async def begun(nats_url: str, log: JetStreamLog) -> JobOnLog:
    """Submit a job whose story the test goes on to tell."""
    client = await connect(nats_url, name="test")
    job = JobOnLog(log)
    await job.submit(await open_blobs(client), NOOP)
    await client.close()
    return job


async def consumers(nats_url: str) -> int:
    client = await connect(nats_url, name="test")
    info = await call(client, "STREAM.INFO.LOTA", {}, dict[str, Any])
    await client.close()
    return int(info["state"]["consumer_count"])


def test_the_package_is_light() -> None:
    """What only needs a part of `events` does not load NATS, and all that is public is there."""
    code = "import sys, events.errors; assert 'nats' not in sys.modules; assert events.connect"
    subprocess.run([sys.executable, "-c", code], check=True)

    assert [name for name in events.__all__ if not hasattr(events, name)] == []
    with pytest.raises(AttributeError, match="nothing"):
        events.nothing  # type: ignore[attr-defined] # noqa: B018


async def test_submit_and_tail(lota: events.Lota) -> None:
    """A job that is submitted is read back as it was, by its author, where it stands."""
    before = await lota.position()
    job = await lota.submit({"engine": "noop", "name": "mine", "sharding": {"count": 2}})

    (entry,) = [entry async for entry in lota.tail(job=job)]

    assert isinstance(entry.event, JobSubmitted)
    assert (entry.event.data.spec.name, entry.event.data.spec.sharding.count) == ("mine", 2)
    assert (entry.address.job, entry.address.author) == (job, "program")
    assert entry.position == await lota.position() > before
    assert json.loads(entry.record.body)["id"] == entry.event.id


async def test_a_job_belongs_under_the_current_span(lota: events.Lota, log: JetStreamLog) -> None:
    """A job is submitted under the span that its program is in, unless another one is given."""
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    span = trace.NonRecordingSpan(trace.SpanContext(7, 9, False, trace.TraceFlags(1)))
    with trace.use_span(span):
        jobs = [await lota.submit(NOOP), await lota.submit(NOOP, traceparent=given)]
    jobs.append(await lota.submit(NOOP))
    said = [(await anext(lota.tail(job=job))).event.traceparent for job in jobs]
    assert said == [f"00-{7:032x}-{9:016x}-01", given, msgspec.UNSET]


async def test_submit_again(lota: events.Lota) -> None:
    """Under one id there is one job, and another spec is refused."""
    job = f"job-{new_id()[:20]}"

    assert await lota.submit(NOOP, job=job) == await lota.submit({"engine": "noop"}, job=job) == job
    with pytest.raises(LotaError, match="another spec"):
        await lota.submit(JobSpec(engine="noop", name="other"), job=job)

    assert len([entry async for entry in lota.tail(job=job)]) == 1


async def test_a_spec_that_is_none(lota: events.Lota) -> None:
    """The field is named, and nothing is submitted."""
    with pytest.raises(InvalidSpec) as caught:
        await lota.submit({"engine": "process", "command": "true"})

    assert caught.value.path == "$.command"


async def test_results_of_jobs_are_inputs_of_the_command_only(lota: events.Lota) -> None:
    """An input that only nodes can list is refused, with what can be done."""
    with pytest.raises(LotaError, match="lota job submit"):
        await lota.submit({"engine": "noop", "inputs": [{"source": "lota://job"}]})


async def test_wait(nats_url: str, lota: events.Lota, log: JetStreamLog) -> None:
    """A job that completes, fails or is cancelled ends the waiting, with what it came to."""
    good, bad, gone = [await begun(nats_url, log) for _ in range(3)]
    waiting = [asyncio.ensure_future(lota.wait(job.id, timeout_s=60)) for job in (good, bad, gone)]
    await good.plan()
    await good.award("n1")
    await good.finish("n1", claim_of(b""))
    await good.complete("bafyroot")
    await bad.append(JobFailed, "r1", code="user", reason="it exited with 3", exit_code=3)
    await gone.append(JobCancelled, "r1", reason="enough")
    completed, failed, cancelled = await asyncio.gather(*waiting)

    assert (completed.state, completed.root_cid, completed.exit_code) == (
        "completed",
        "bafyroot",
        0,
    )
    assert (failed.state, failed.code, failed.exit_code) == ("failed", "user", 3)
    assert (cancelled.state, cancelled.reason, cancelled.exit_code) == ("cancelled", "enough", None)
    assert [one.job for one in (completed, failed, cancelled)] == [good.id, bad.id, gone.id]
    assert (await lota.wait(bad.id)).entry.address.kind == "job.failed"


async def test_wait_in_vain(lota: events.Lota) -> None:
    """A job that goes on is left alone after the time given, and one that is not is not found."""
    job = await lota.submit(NOOP)

    with pytest.raises(WaitTimedOut, match=job):
        await lota.wait(job, timeout_s=0.001)
    with pytest.raises(NotFound):
        await lota.wait("no-such-job")
    with pytest.raises(WrongUsage):
        await lota.wait("no job")


async def test_what_is_no_event_is_passed_over(
    lota: events.Lota, log: JetStreamLog, caplog: pytest.LogCaptureFixture
) -> None:
    """A corrupt message and one of a newer type are told of, and the events go on behind them."""
    job = await lota.submit(NOOP)
    place = subject(job, "c", "n1", "bids.placed")
    newer = {"type": "lota.bids.placed.v9", "subject": job, "data": {"offers": "all"}}
    await log.append(place, b"{", id=new_id())
    await log.append(place, json.dumps(newer).encode(), id=new_id())
    await log.append(requests(job).replace(">", "cli.cancel.requested"), b"[]", id=new_id())
    told: list[tuple[Record, EventError]] = []

    found = [
        entry async for entry in lota.tail(job=job, on_foreign=lambda *what: told.append(what))
    ]
    with caplog.at_level(logging.WARNING, "events.client"):
        again = [entry async for entry in lota.tail(job=job)]

    assert len(found) == len(again) == 1
    assert [type(error) for _, error in told] == [CorruptEvent, UnknownEvent, CorruptEvent]
    assert [record.subject for record, _ in told][:2] == [place, place]
    assert "lota.bids.placed.v9" in caplog.text


@pytest.mark.parametrize("kind", ["job.completed", "job.folded"])
async def test_a_job_that_ends_in_words_of_a_newer_version(
    nats_url: str, lota: events.Lota, log: JetStreamLog, kind: str
) -> None:
    """Nobody waits for what has happened: an end that is not known is an error that says so."""
    job = await begun(nats_url, log)
    waiting = asyncio.ensure_future(lota.wait(job.id, timeout_s=60))
    await job.plan()
    plan = await anext(lota.tail(job=job.id, types=["job.planned"]))
    newer = {**json.loads(plan.record.body), "id": new_id(), "type": f"lota.{kind}.v9"}
    await log.append(subject(job.id, "r", "r1", kind), json.dumps(newer).encode(), id=new_id())
    await job.append(JobClosed, "r1")

    with pytest.raises(LotaError, match="only a newer version of Lota knows"):
        await waiting


@pytest.mark.parametrize("wrong", [{"types": ["job.done"]}, {"job": "a.b"}, {"since": 0}])
async def test_a_tail_of_what_there_is_not(lota: events.Lota, wrong: dict[str, Any]) -> None:
    """A type that no event has, what is no job id and no position get an error, not silence."""
    with pytest.raises(WrongUsage):
        await anext(lota.tail(**wrong))


async def test_an_iterator_that_is_closed_is_forgotten(tmp_path: Path) -> None:
    """The server keeps nothing of a tail that was broken off."""
    async with EmbeddedServer(tmp_path) as server, events.connect(server.url) as lota:
        job = await lota.submit(NOOP)
        async with aclosing(lota.tail(job=job, follow=True)) as tail:
            await anext(tail)
            assert await consumers(server.url) == 1
        async with asyncio.timeout(PATIENCE_S):
            while await consumers(server.url):
                pass


async def test_closing_the_connection_ends_what_it_reads(nats_url: str) -> None:
    """A tail that follows ends when its network is left, and what comes later is an error."""
    async with events.connect(nats_url) as lota:
        job = await lota.submit(NOOP)
        begun = asyncio.Event()

        async def follow() -> int:
            count = 0
            async for _ in lota.tail(job=job, follow=True):
                count += 1
                begun.set()
            return count

        following = asyncio.ensure_future(follow())
        await begun.wait()

    assert await following == 1
    with pytest.raises(LogUnavailable):
        await lota.position()


@pytest.mark.parametrize("name", ["", "a b", "a" * 41])
async def test_a_name_that_is_none(name: str) -> None:
    """What no subject can hold is refused before a server is asked."""
    with pytest.raises(WrongUsage, match="is no name"):
        async with events.connect("nats://127.0.0.1:1", name=name):
            pass


async def test_no_server() -> None:
    """Where no server answers, connecting says so and what to do."""
    with pytest.raises(LogUnavailable, match=r"at nats://127\.0\.0\.1:1"):
        async with events.connect("nats://ann:secret@127.0.0.1:1"):
            pass
