"""What the commands say of events that only a newer version of Lota knows: which, and where."""

import asyncio
import json
from typing import NamedTuple

import pytest

from events.jetstream import JetStreamLog
from events.spec import JobSpec
from tests.events.newer import newer, store
from tests.node.cli.conftest import Begin, Lota
from tests.node.cli.job_on_log import claim_of

AWARDED = "lota.shards.awarded.v2"
NOOP = JobSpec(engine="noop")


class Told(NamedTuple):
    """A job in which a decision of a newer version stands; `position` is where."""

    id: str
    position: int


@pytest.fixture
async def job(begin: Begin, log: JetStreamLog) -> Told:
    """Tell a job up to an award in words of a newer version, and a proposal that follows."""
    job = await begin(NOOP)
    await job.plan()
    position = await store(log, newer(AWARDED, job.id, "r", "r1"))
    await job.finish("n1", claim_of(b"hello\n"))
    return Told(job.id, position)


async def test_describe_says_why_it_cannot_tell_more(lota: Lota, job: Told) -> None:
    """It names the type and the position, and who decides now; nothing is called illegal."""
    view = json.loads((await lota("job", "describe", job.id, "-o", "json")).out)
    where = {"count": 1, "first": job.position, "last": job.position}
    assert view["newer"] == [{"type": AWARDED, **where}]
    assert (view["counts"]["illegal"], view["unjudged"]) == (0, 1)
    (reason, *_) = [one for one in view["why_waiting"] if one["code"] == "newer_decision"]
    assert f"{AWARDED} at position {job.position} was written by a newer" in reason["message"]

    shown = (await lota("job", "describe", job.id)).out
    assert f"{AWARDED}  1 event(s) at position {job.position}" in shown


async def test_history_has_a_line_for_it(lota: Lota, job: Told) -> None:
    """It stands in its place, with its time, author and kind, as newer and not as foreign."""
    rows = json.loads((await lota("job", "history", job.id, "-o", "json")).out)
    assert [row["newer"] for row in rows] == [False, False, True, False]
    line = rows[2]
    assert (line["position"], line["type"], line["author"]) == (job.position, AWARDED[5:-3], "r1")
    assert line["summary"] == f"{AWARDED} was written by a newer version of Lota"

    ran = await lota("job", "history", job.id)
    assert "newer: skipped" in ran.out
    assert "foreign" not in ran.out + ran.err
    assert "1 event(s) were written by a newer version of Lota" in ran.err


async def test_replay_says_it(lota: Lota, job: Told) -> None:
    """The network's state counts it, and a step through the job shows it as skipped."""
    view = json.loads((await lota("replay", "-o", "json")).out)
    assert AWARDED in {row["type"] for row in view["newer"]}
    shown = (await lota("replay")).out
    assert "written by a newer version of Lota" in shown
    assert AWARDED in shown

    lines = (await lota("replay", "--job", job.id, "--step", "-o", "jsonl")).out.splitlines()
    (step,) = [step for step in map(json.loads, lines) if step["newer"]]
    assert (step["position"], step["type"], step["foreign"]) == (job.position, AWARDED[5:-3], None)
    shown = (await lota("replay", "--job", job.id, "--step")).out
    assert f"skipped: {AWARDED} was written by a newer version of Lota" in shown


async def test_tail_passes_it_on(lota: Lota, job: Told) -> None:
    """Its document goes through as any, since a reader may know it; at the end it is counted."""
    ran = await lota("events", "tail", "--job", job.id, "-o", "json")
    assert [json.loads(line)["type"] for line in ran.out.splitlines()][2] == AWARDED
    assert ran.err == f"lota: 1 event(s) {AWARDED} were written by a newer version of Lota\n"
    shown = await lota("events", "tail", "--job", job.id)
    assert f"{AWARDED} was written by a newer version of Lota" in shown.out


async def test_audit_does_not_vouch_for_it(lota: Lota, job: Told) -> None:
    """It exits with 1, says what it could not read, and counts what it cannot prove behind it."""
    ran = await lota("audit", "--job", job.id, "-o", "json")
    report = json.loads(ran.out)
    found = [(one["position"], one["kind"]) for one in report["findings"]]
    assert ran.code == 1
    assert (job.position, "newer") in found
    assert report["unprovable"]["stands behind what only a newer version of Lota knows"] == 1


async def test_a_job_of_a_newer_spec(lota: Lota, log: JetStreamLog) -> None:
    """A job whose submission is newer is there, and who asks hears that it takes that version."""
    name = "01newerjob00000000000000aa"
    await store(log, newer("lota.job.submitted.v2", name, "g", "cli"))
    ran = await lota("job", "describe", name)
    assert ran.code != 0
    assert f"job {name} was submitted by a newer version of Lota" in ran.err
    assert "use that version" in ran.err


async def test_wait_does_not_wait_for_words_it_cannot_read(
    lota: Lota, job: Told, log: JetStreamLog
) -> None:
    """A job that ends in words of a newer version ends the wait, with an error that says so."""
    waiting = asyncio.ensure_future(lota("job", "wait", job.id))
    await store(log, newer("lota.job.completed.v2", job.id, "r", "r1"))
    ran = await waiting
    assert ran.code != 0
    assert f"job {job.id} has ended by lota.job.completed.v2" in ran.err
    assert f"{AWARDED} at position {job.position}" in ran.err
