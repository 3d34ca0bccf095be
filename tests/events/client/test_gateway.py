"""Accepting jobs: what is refused, what is appended, and that every step can be repeated."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events import subjects
from events.client.gateway import APPEND_TRIES, Submission, prepare, request_cancel, submit
from events.codec import decode
from events.errors import (
    AppendTimeout,
    InvalidInput,
    InvalidSpec,
    LogUnavailable,
    LotaError,
    NotFound,
)
from events.ids import new_id
from events.inputs.listing import load_files
from events.log import EVERYTHING, Expect, Record
from events.memory import MemoryBlobs, MemoryLog
from events.requests import CancelRequested, JobSubmitted
from events.spec import Deal, Input, JobSpec, PublisherSpec, Sharding, digest

JOB = "01kaq3y6e5v8m2t9w0x4z7c1dn"
NOW_MS = 1_767_225_600_037
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class DeafLog(MemoryLog):
    """A log whose first answers are lost, after or before the append was stored."""

    def __init__(self, *, lost: int, stored: bool) -> None:
        super().__init__()
        self._lost = lost
        self._stored = stored
        self.tries: list[str] = []

    def append(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None = None
    ) -> "asyncio.Future[int]":
        self.tries.append(id)
        if self._lost < len(self.tries):
            return super().append(subject, body, id=id, expect=expect)
        if self._stored and len(self.tries) == 1:
            self.append_now(subject, body, id=id, expect=expect)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        answer.set_exception(AppendTimeout("no answer"))
        return answer


class ForgetfulLog(DeafLog):
    """As one replica of JetStream answers: the fence is checked before the repeated id."""

    def append(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None = None
    ) -> "asyncio.Future[int]":
        answer = super().append(subject, body, id=f"{id}-{len(self.tries)}", expect=expect)
        self.tries[-1] = id
        return answer


class LeaderlessLog(MemoryLog):
    """A log whose servers are electing a leader when the first append comes."""

    elected = False

    def append(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None = None
    ) -> "asyncio.Future[int]":
        if self.elected:
            return super().append(subject, body, id=id, expect=expect)
        self.elected = True
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        loop.call_soon(answer.set_exception, LogUnavailable("no stream takes it"))
        return answer


class OrderedLog(MemoryLog):
    """A log that notes which blobs were there at the append."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        super().__init__()
        self._blobs = blobs
        self.seen: list[set[str]] = []

    def append(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None = None
    ) -> "asyncio.Future[int]":
        self.seen.append(set(self._blobs._blobs))
        return super().append(subject, body, id=id, expect=expect)


class SilentLog(MemoryLog):
    """A log that must not be read or written."""

    def append(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None = None
    ) -> "asyncio.Future[int]":
        raise AssertionError(subject)

    def read(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        raise AssertionError(filters)


async def send(log: MemoryLog, submission: Submission, **changes: Any) -> int:
    arguments: dict[str, Any] = {"job": JOB, "author": "me", "new_id": new_id, **changes}
    return await submit(log, MemoryBlobs(), submission, now_ms=lambda: NOW_MS, **arguments)


async def cancel(log: MemoryLog, **changes: Any) -> int:
    arguments: dict[str, Any] = {"job": JOB, "author": "me", "reason": "", **changes}
    return await request_cancel(log, new_id=lambda: "id-9", now_ms=lambda: NOW_MS, **arguments)


async def noop(name: str = "") -> Submission:
    return await prepare(JobSpec(engine="noop", name=name), publishers={})


def write(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return str(folder)


def over(*inputs: Input, **sharding: Any) -> JobSpec:
    return JobSpec(engine="noop", inputs=inputs, sharding=Sharding(**sharding))


async def test_prepare(tmp_path: Path) -> None:
    """A job comes out in normal form, with its digest and the listing of each input."""
    data = write(tmp_path / "my data", "a.py", "b/c.py", "d.txt")
    code = write(tmp_path / "code", "x.py", "y.txt")
    spec = JobSpec(
        engine="process",
        command=("true",),
        inputs=(Input(source=data), Input(source=f"file://{code}", dest="lib", context=True)),
        sharding=Sharding(glob="**/*.py"),
        deal=Deal(replicas=2),
        publishers=(PublisherSpec(driver="local"),),
    )

    submission = await prepare(spec, publishers={"local": False})

    found = submission.data
    assert [entry.source for entry in found.spec.inputs] == [
        (tmp_path / "my data").as_uri(),
        (tmp_path / "code").as_uri(),
    ]
    assert [entry.dest for entry in found.spec.inputs] == ["my data", "lib"]
    assert (found.spec.verifier, found.spec.deal.confidence) == ("deterministic", 2)
    assert found.digest == digest(found.spec)
    assert [[file.path for file in listing.files] for listing in found.inputs if listing] == [
        ["a.py", "b/c.py"],
        ["x.py", "y.txt"],
    ]
    assert submission.blobs == ()


async def test_prepare_long_listings(tmp_path: Path) -> None:
    """Long listings are blobs, and what stands in the event has one limit for all inputs."""
    many = Input(source=write(tmp_path / "many", *(f"{index:04}" for index in range(200))))
    half = [Input(source=write(tmp_path / n, *(f"{at:04}" for at in range(70)))) for n in "ab"]
    blobs = MemoryBlobs()

    submission = await prepare(over(many, *half), publishers={})
    for blob in submission.blobs:
        await blobs.put(blob)

    listings = [listing for listing in submission.data.inputs if listing is not None]
    assert [bool(listing.blob) for listing in listings] == [True, False, True]
    assert [len(await load_files(listing, blobs)) for listing in listings] == [200, 70, 70]
    assert len(msgspec.json.encode(submission.data)) < 16 * 1024


async def test_prepare_tells_its_progress(tmp_path: Path) -> None:
    """Progress counts on over all inputs."""
    inputs = [Input(source=write(tmp_path / name, "x", "y")) for name in ("a", "b")]
    calls: list[tuple[int, int]] = []

    await prepare(over(*inputs), publishers={}, progress=lambda *done: calls.append(done))

    assert calls == [(2, 2), (4, 4)]


@pytest.mark.parametrize(
    ("source", "glob", "what"),
    [
        ("data", "*.py", r"'\*.py' matches none of the 2 file\(s\) of file:///"),
        ("empty", "", "holds no file"),
        ("absent", "", "absent does not exist"),
        ("s3://bucket/key", "", "unknown scheme 's3'"),
        ("file://elsewhere/data", "", "no file of this machine"),
    ],
)
async def test_prepare_refuses_inputs(tmp_path: Path, source: str, glob: str, what: str) -> None:
    """An input that cannot be used is refused by its place in the spec, with a hint."""
    write(tmp_path / "data", "a", "b/c")
    (tmp_path / "empty").mkdir()
    path = source if "://" in source else str(tmp_path / source)
    good = Input(source=write(tmp_path / "good", "a.py"))

    with pytest.raises(InvalidInput, match=what) as caught:
        await prepare(over(good, Input(source=path), glob=glob), publishers={})

    assert caught.value.what.startswith("$.inputs[1].source: ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (JobSpec(engine="process"), "$.command"),
        (
            JobSpec(engine="noop", publishers=(PublisherSpec(driver="s3"),)),
            "$.publishers[0].driver",
        ),
        (JobSpec(engine="noop", sharding=Sharding(count=100_001)), "$.sharding.count"),
        (JobSpec(engine="noop", deal=Deal(confidence=2)), "$.deal.confidence"),
    ],
)
async def test_prepare_refuses_specs(spec: JobSpec, path: str) -> None:
    """A spec that could never run is refused before its inputs are read."""
    spec = msgspec.structs.replace(spec, inputs=(Input(source="absent"),))

    with pytest.raises(InvalidSpec) as caught:
        await prepare(spec, publishers={"local": False})

    assert caught.value.path == path


async def test_prepare_refuses_globs(tmp_path: Path) -> None:
    """A glob that could match nothing is refused as such."""
    with pytest.raises(InvalidSpec, match="glob"):
        await prepare(over(Input(source=write(tmp_path, "a")), glob="/a"), publishers={})


async def test_prepare_refuses_equal_places(tmp_path: Path) -> None:
    """Two inputs whose base names are equal need a DEST."""
    inputs = [Input(source=write(tmp_path / name / "data", "a")) for name in ("x", "y")]

    with pytest.raises(InvalidSpec, match="DEST"):
        await prepare(over(*inputs), publishers={})


async def test_submit() -> None:
    """A job is one event under its id, written by the gateway's author."""
    log = MemoryLog()
    submission = await noop()

    position = await send(log, submission, new_id=lambda: "id-1")

    (record,) = log.records()
    event = decode(record.body)
    assert isinstance(event, JobSubmitted)
    assert (position, record.position) == (1, 1)
    assert record.subject == subjects.subject(JOB, "g", "me", "job.submitted")
    assert (event.id, event.causationid, event.subject) == ("id-1", "id-1", JOB)
    assert event.time == "2026-01-01T00:00:00.037Z"
    assert event.data == submission.data


async def test_submit_stores_blobs_first(tmp_path: Path) -> None:
    """No event names a blob that is not there yet."""
    source = write(tmp_path / "many", *(f"{index:04}" for index in range(200)))
    submission = await prepare(over(Input(source=source)), publishers={})
    blobs = MemoryBlobs()
    log = OrderedLog(blobs)

    await submit(log, blobs, submission, job=JOB, author="me", new_id=new_id, now_ms=lambda: NOW_MS)

    listing = submission.data.inputs[0]
    assert listing is not None
    assert log.seen == [{listing.blob}]


async def test_submit_again() -> None:
    """The same job under the same id is a success at the first position, and one event."""
    log = MemoryLog()
    submission = await noop()

    positions = [await send(log, submission, author=name) for name in ("me", "me2", "me2")]

    assert positions == [1, 1, 1]
    assert len(log.records()) == 1


async def test_submit_another() -> None:
    """Another job under an id that is taken is refused, and nothing is appended."""
    log = MemoryLog()
    await send(log, await noop())

    with pytest.raises(LotaError, match="another spec"):
        await send(log, await noop("other"))

    assert len(log.records()) == 1


@pytest.mark.parametrize("kind", [DeafLog, ForgetfulLog])
@pytest.mark.parametrize("stored", [True, False])
async def test_submit_with_lost_answers(kind: type[DeafLog], stored: bool) -> None:
    """A lost answer is met by a repeat with the same id, so that the job is there once."""
    log = kind(lost=2, stored=stored)

    position = await send(log, await noop(), new_id=lambda: "id-1")

    assert (position, len(log.records())) == (1, 1)
    assert log.tries == ["id-1"] * 3


async def test_submit_while_servers_elect_a_leader() -> None:
    """An append that no server takes is repeated, and a log that is closed is told of at once."""
    log = LeaderlessLog()

    assert await send(log, await noop()) == 1
    await log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        await send(log, await noop())


async def test_submit_without_answers() -> None:
    """After a few tries the silence is the caller's, who may submit the same job again."""
    log = DeafLog(lost=APPEND_TRIES, stored=True)
    submission = await noop()

    with pytest.raises(AppendTimeout):
        await send(log, submission)

    assert await send(log, submission) == 1
    assert len(log.records()) == 1


@pytest.mark.parametrize(("job", "author"), [("a.b", "me"), ("", "me"), ("-a", "me"), (JOB, "m e")])
async def test_names(job: str, author: str) -> None:
    """A job id or author that no subject can hold is refused before anything is stored."""
    with pytest.raises(LotaError, match="use up to 40"):
        await send(SilentLog(), await noop(), job=job, author=author)
    with pytest.raises(LotaError, match="use up to 40"):
        await cancel(SilentLog(), job=job, author=author)


async def test_cancel() -> None:
    """A wish to cancel is one more event of the gateway, with its reason."""
    log = MemoryLog()
    await send(log, await noop())

    position = await cancel(log, reason="wrong input")

    record = log.records()[1]
    event = decode(record.body)
    assert isinstance(event, CancelRequested)
    assert position == record.position == 2
    assert record.subject == subjects.subject(JOB, "g", "me", "cancel.requested")
    assert event.data.reason == "wrong input"


async def test_a_wish_belongs_to_the_trace_of_its_job() -> None:
    """The span that a job is submitted under stands in its submission and in wishes about it."""
    log = MemoryLog()
    await send(log, await noop(), traceparent=TRACE)
    await cancel(log)
    said = [decode(record.body) for record in log.records(limit=9)]
    assert [event.traceparent for event in said] == [TRACE, TRACE]


async def test_a_trace_that_is_none_is_left_out() -> None:
    """A job that is submitted under a malformed span is submitted, and under none."""
    log = MemoryLog()
    await send(log, await noop(), traceparent=f"{TRACE}-more")
    await cancel(log)
    assert not any(b"traceparent" in record.body for record in log.records(limit=9))


async def test_cancel_nothing() -> None:
    """A job that is not there is not cancelled: its id stays free for its submission."""
    log = MemoryLog()

    with pytest.raises(NotFound):
        await cancel(log)

    assert log.records() == []


async def test_cancel_with_lost_answers() -> None:
    """A repeat of a cancel after a lost answer is no second wish."""
    log = DeafLog(lost=0, stored=True)
    await send(log, await noop())
    log._lost, log.tries = 2, []

    position = await cancel(log)

    assert (position, len(log.records())) == (2, 2)


async def test_foreign_messages_are_passed_over() -> None:
    """A corrupt message under the job's subjects does not hide its submission."""
    log = MemoryLog()
    subject = subjects.subject(JOB, "g", "other", "job.submitted")
    log.append_now(subject, b"{", id="x")
    log.append_now(subject, b"{}", id="y")
    submission = await noop()
    event = JobSubmitted(
        id="z", source="/", subject=JOB, time="", causationid="z", data=submission.data
    )
    log.append_now(subject, msgspec.json.encode(event), id="z")

    assert await send(log, submission) == 3
    assert await cancel(log) == 4
