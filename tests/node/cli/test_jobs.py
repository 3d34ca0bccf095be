"""Listing, describing and following jobs whose events were appended by hand."""

import asyncio
import json
from collections.abc import Awaitable
from pathlib import Path

import pytest
import yaml

from events.decisions import JobCancelled, JobFailed, ResultsJudged, ShardsFailed
from events.facts import BidsDeclined, PublishFailed
from events.ids import new_id
from events.items import Decline, Judgement, Offer, PublishFailure, ShardFailure, SlotAssignment
from events.jetstream import JetStreamLog
from events.spec import Deal, JobSpec, PublisherSpec
from events.subjects import requests
from tests.node.cli.conftest import Begin, Lota, Ran
from tests.node.cli.job_on_log import JobOnLog, claim_of, join

NOOP = JobSpec(engine="noop")
CLAIM = claim_of(b"hello\n")


async def until_appended(log: JetStreamLog, job: JobOnLog, kind: str) -> None:
    """Return when the job has a request of this kind."""
    async for records in log.follow((requests(job.id),)):
        if any(record.subject.endswith(kind) for record in records):
            return


async def completed(begin: Begin, spec: JobSpec = NOOP) -> JobOnLog:
    """Tell a job of one shard to its good end."""
    job = await begin(spec)
    await job.plan()
    await job.award("n1")
    await job.finish("n1", CLAIM)
    await job.complete()
    return job


async def test_describe_shows_the_whole_story(lota: Lota, begin: Begin) -> None:
    """The JSON has every execution, the verdict with its evidence, and the copies."""
    spec = JobSpec(
        engine="process",
        command=("census",),
        name="census",
        deal=Deal(replicas=3, confidence=2),
        publishers=(PublisherSpec(driver="local"),),
    )
    job = await begin(spec)
    await job.plan()
    await job.award("n1", "n2", "n3")
    await job.agree({"n1": CLAIM, "n2": CLAIM, "n3": claim_of(b"lie")}, publish=True)
    await job.publish("n1", CLAIM, f"file:///published/{job.id}/0")
    await job.complete()
    ran = await lota("job", "describe", job.id, "-o", "json")
    view = json.loads(ran.out)
    (shard,) = view["shards"]
    assert (ran.code, view["state"], view["root_cid"]) == (0, "completed", "bafyroot")
    assert [e["state"] for e in shard["executions"]] == ["accepted", "accepted", "rejected"]
    assert [e["node"] for e in shard["executions"]] == ["n1", "n2", "n3"]
    assert shard["verdict"]["accepted"] == [f"{job.id}-0-0", f"{job.id}-0-1"]
    assert shard["verdict"]["rejected"] == [f"{job.id}-0-2"]
    assert shard["verdict"]["claim"]["cid"] == CLAIM.cid
    (copy,) = shard["publications"]
    assert (copy["publisher"], copy["uri"]) == ("local", f"file:///published/{job.id}/0")
    assert (copy["cid"], copy["node"], copy["duration_ms"]) == (CLAIM.cid, "n1", 5)
    assert view["counts"] == {"events": 13, "late": 0, "illegal": 0}
    assert view["why_waiting"] == []
    assert view["timeline"][0]["kind"] == "job.submitted"


async def test_describe_is_legible(lota: Lota, begin: Begin) -> None:
    """The table names state, nodes, verdict and what happened when, without colour in a pipe."""
    job = await completed(begin)
    ran = await lota("job", "describe", job.id)
    for words in ("completed", "n1 accepted", "bafyroot", "results.proposed", CLAIM.cid, "━"):
        assert words in ran.out
    assert "\x1b" not in ran.out


async def test_describe_shows_copies_and_what_went_wrong(lota: Lota, begin: Begin) -> None:
    """Each copy has its place, size, time and node, and one that failed has its reason."""
    places = (PublisherSpec(driver="local"), PublisherSpec(driver="local", target="/full"))
    job = await begin(JobSpec(engine="noop", publishers=places))
    await job.plan()
    await job.award("n1", publish=(0, 1))
    await job.finish("n1", CLAIM)
    verdict = Judgement(
        0, "accepted", (0,), claim=CLAIM, publish=(SlotAssignment(0, 0), SlotAssignment(1, 0))
    )
    await job.append(ResultsJudged, "r1", judgements=(verdict,), publish_until_ms=2**50)
    await job.publish("n1", CLAIM, f"file:///published/{job.id}/0")
    failure = PublishFailure(0, 1, 0, "disk-full", "no room left")
    await job.append(PublishFailed, "n1", failures=(failure,))
    view = json.loads((await lota("job", "describe", job.id, "-o", "json")).out)
    good, bad = view["shards"][0]["slots"]
    assert (good["state"], good["reason"]) == ("published", None)
    assert (bad["target"], bad["state"], bad["node"]) == ("/full", "retry", "n1")
    assert bad["reason"] == "disk-full: no room left"
    table = (await lota("job", "describe", job.id)).out
    assert f"file:///published/{job.id}/0  local, {CLAIM.dag_size_bytes} B, in 5ms, by n1" in table
    assert "local /full  retry, with n1: disk-full: no room left" in table
    await job.append(ShardsFailed, "r1", shards=(ShardFailure(0, "publishing", "no room"),))
    table = (await lota("job", "describe", job.id)).out
    assert "local /full  failed, with n1: disk-full: no room left" in table


async def test_describe_says_why_a_job_waits(lota: Lota, begin: Begin, log: JetStreamLog) -> None:
    """Who declined, who cannot run it and how many nodes it takes are all named."""
    await join(log, "why-ok", "compute", engines=("process",), cpu=8, memory_bytes=2**40)
    await join(log, "why-small", "compute", engines=("process",), cpu=2, memory_bytes=2**40)
    spec = JobSpec(engine="process", command=("x",), deal=Deal(replicas=2), labels={})
    job = await begin(spec)
    await job.plan(offers=(Offer(((0, 1),), ("why-ok",)),), bids_until_ms=2**50)
    await job.append(BidsDeclined, "why-ok", declines=(Decline(0, "full", "its queue is full"),))
    ran = await lota("job", "describe", job.id, "-o", "json")
    reasons = json.loads(ran.out)["why_waiting"]
    declined = next(reason for reason in reasons if reason["code"] == "declined")
    assert (declined["node"], "its queue is full" in declined["message"]) == ("why-ok", True)
    assert any(reason["code"] == "cannot_run" for reason in reasons)
    table = await lota("job", "describe", job.id)
    assert "its queue is full" in table.out


async def test_a_job_is_found_by_the_start_of_its_id(lota: Lota, begin: Begin) -> None:
    """As much of the id as no other job shares is enough."""
    job = await completed(begin)
    ran = await lota("job", "describe", job.id[:-1], "-o", "yaml")
    assert yaml.safe_load(ran.out)["id"] == job.id


async def test_an_ambiguous_start_lists_the_jobs(lota: Lota, begin: Begin) -> None:
    """Two jobs under one start are both named, and nothing is done."""
    one, two = await completed(begin), await completed(begin)
    ran = await lota("job", "cancel", one.id[:3])
    assert ran.code == 2
    assert one.id in ran.err
    assert two.id in ran.err


async def test_ls_shows_the_newest_first(lota: Lota, begin: Begin) -> None:
    """The youngest job leads, and a limit keeps the youngest."""
    spec = JobSpec(engine="noop", labels={"set": new_id()})
    jobs = [await completed(begin, spec) for _ in range(3)]
    label = f"set={spec.labels['set']}"
    every = await lota("job", "ls", "-q", "--label", label)
    assert every.out.split() == [job.id for job in reversed(jobs)]
    two = await lota("job", "ls", "-q", "--label", label, "--limit", "2")
    assert two.out.split() == [job.id for job in reversed(jobs[1:])]


async def test_ls_filters_by_state(lota: Lota, begin: Begin) -> None:
    """Only jobs in the state that was asked for are listed, with their shards counted."""
    spec = JobSpec(engine="noop", name="both", labels={"set": new_id()})
    done, waiting = await completed(begin, spec), await begin(spec)
    words = ("job", "ls", "--label", "set", "--label", f"set={spec.labels['set']}")
    ran = await lota(*words, "--state", "submitted", "-o", "json")
    assert [row["id"] for row in json.loads(ran.out)] == [waiting.id]
    ran = await lota(*words, "--state", "completed")
    assert done.id in ran.out
    assert "1/1" in ran.out
    assert waiting.id not in ran.out


async def test_history_marks_what_was_late_or_illegal(lota: Lota, begin: Begin) -> None:
    """Each event has a line, and one that changed nothing says so and why."""
    job = await begin(NOOP)
    await job.plan()
    await job.award("n1")
    await job.finish("other", CLAIM)
    await job.finish("n1", CLAIM)
    await job.finish("n1", CLAIM)
    rows = json.loads((await lota("job", "history", job.id, "-o", "json")).out)
    assert [row["type"] for row in rows][:3] == ["job.submitted", "job.planned", "shards.awarded"]
    assert ["n1's execution" in " ".join(row["illegal"]) for row in rows] == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]
    assert [row["late"] for row in rows] == [0, 0, 0, 0, 0, 1]
    table = (await lota("job", "history", job.id)).out
    assert "late: 1" in table
    assert "1 with exit code 0" in table


async def test_history_shows_foreign_messages(lota: Lota, begin: Begin, log: JetStreamLog) -> None:
    """A message on the job's subjects that is no event is shown, not stumbled over."""
    job = await begin(NOOP)
    foreign = requests(job.id).replace("g.>", "c.n1.results.proposed")
    await log.append(foreign, b"\xff{", id=new_id())
    ran = await lota("job", "history", job.id)
    assert ran.code == 0
    assert "foreign" in ran.out
    assert "1 message(s)" in ran.err


async def test_wait_returns_at_the_end(lota: Lota, begin: Begin) -> None:
    """A job that ends while it is waited for ends the waiting, with its state on stdout."""
    job = await begin(NOOP)
    waiting = asyncio.ensure_future(lota("job", "wait", job.id, "--timeout", "60s"))
    await job.plan()
    await job.award("n1")
    await job.finish("n1", CLAIM)
    await job.complete()
    assert await waiting == Ran(0, "completed\n", "")


async def test_wait_fails_with_the_job(lota: Lota, begin: Begin) -> None:
    """A failed job is exit code 1 with its reason."""
    job = await begin(NOOP)
    await job.plan()
    await job.append(JobFailed, "r1", code="user", reason="shard 0 exited with 3", exit_code=3)
    ran = await lota("job", "wait", job.id)
    assert (ran.code, ran.out) == (1, "failed\n")
    assert "shard 0 exited with 3" in ran.err


async def test_wait_says_that_results_are_there(lota: Lota, begin: Begin) -> None:
    """A job that failed in publishing alone need not run again: its results can be fetched."""
    job = await begin(NOOP)
    await job.plan()
    await job.append(JobFailed, "r1", code="publishing", reason="s3: refused")
    ran = await lota("job", "wait", job.id)
    assert f"lota result get {job.id} fetches the results" in ran.err


async def test_wait_gives_up_after_its_timeout(lota: Lota, begin: Begin) -> None:
    """A job that goes on is exit code 5, and a hint how to learn why."""
    job = await begin(NOOP)
    ran = await lota("job", "wait", job.id, "--timeout", "1ms")
    assert (ran.code, ran.out) == (5, "")
    assert f"lota job describe {job.id}" in ran.err


async def cancelling(
    lota: Lota, log: JetStreamLog, job: JobOnLog, decision: Awaitable[None]
) -> Ran:
    """Cancel a job by the command line, and decide once the wish is on the log."""
    running = asyncio.ensure_future(lota("job", "cancel", job.id, "--reason", "wrong input"))
    await until_appended(log, job, "cancel.requested")
    await decision
    return await running


async def test_cancel_waits_for_the_decision(lota: Lota, begin: Begin, log: JetStreamLog) -> None:
    """A cancel that is granted is success, and its reason is on the log."""
    job = await begin(NOOP)
    decision = job.append(JobCancelled, "r1", reason="wrong input")
    ran = await cancelling(lota, log, job, decision)
    assert (ran.code, ran.out) == (0, "cancelled\n")
    assert "wrong input" in (await lota("job", "history", job.id)).out


async def test_cancel_may_be_too_late(lota: Lota, begin: Begin, log: JetStreamLog) -> None:
    """A job that completes first is left as it is, and the command says so."""
    job = await begin(NOOP)
    await job.plan()
    await job.award("n1")
    await job.finish("n1", CLAIM)
    ran = await cancelling(lota, log, job, job.complete())
    assert (ran.code, ran.out) == (1, "completed\n")
    assert "too late" in ran.err


async def test_cancel_leaves_an_ended_job_alone(lota: Lota, begin: Begin) -> None:
    """Nothing is appended for a job that has ended already."""
    job = await completed(begin)
    before = (await lota("job", "history", job.id)).out
    ran = await lota("job", "cancel", job.id)
    assert (ran.code, "too late" in ran.err) == (1, True)
    assert (await lota("job", "history", job.id)).out == before


async def test_nodes_are_listed(lota: Lota, log: JetStreamLog) -> None:
    """A node that joined is shown with what it can do."""
    await join(log, "ls-node", "compute", engines=("noop", "docker"), width=7)
    ran = await lota("node", "ls", "-o", "json")
    row = next(row for row in json.loads(ran.out) if row["name"] == "ls-node")
    assert (row["state"], row["engines"], row["width"]) == ("live", ["noop", "docker"], 7)
    assert "agreed" not in row, "the events of nodes do not tell, and 0 would be untrue"
    assert "ls-node" in (await lota("node", "ls")).out
    assert "ls-node" in (await lota("node", "ls", "-q")).out.split()


async def test_tail_prints_the_stored_bytes(lota: Lota, begin: Begin, log: JetStreamLog) -> None:
    """As JSON, each line is exactly what is stored."""
    job = await completed(begin)
    ran = await lota("events", "tail", "--job", job.id, "-o", "json")
    stored = [
        record.body.decode()
        async for records in log.read((requests(job.id).replace("g.>", ">"),))
        for record in records
    ]
    assert ran.out.splitlines() == stored
    assert len(stored) == 5


async def test_tail_selects_by_type_and_position(
    lota: Lota, begin: Begin, log: JetStreamLog
) -> None:
    """Only the types that were asked for are printed, from the position on."""
    job = await completed(begin)
    words = ("events", "tail", "--job", job.id)
    types = ("--type", "job.planned", "--type", "lota.job.completed.v1")
    ran = await lota(*words, *types)
    assert [line.split()[2] for line in ran.out.splitlines()] == ["job.planned", "job.completed"]
    last = ran.out.splitlines()[-1].split()[0]
    ran = await lota(*words, "--since", last)
    assert [line.split()[2] for line in ran.out.splitlines()] == ["job.completed"]


@pytest.mark.parametrize(
    ("since", "told"),
    [
        ("1000000", "position 1000000 is beyond the end of the log"),
        ("2020-01-01", "2020-01-01T00:00:00.000Z is before the first event of the log"),
        ("2999-01-01", "2999-01-01T00:00:00.000Z is a time to come"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--follow",)], ids=["once", "follow"])
async def test_tail_says_what_the_log_does_not_reach(
    lota: Lota, begin: Begin, since: str, told: str, more: tuple[str, ...]
) -> None:
    """A point beyond the end, before the first event or to come is named, with what there is."""
    await begin(NOOP)
    ran = await lota("events", "tail", "--since", since, *more)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"lota: {told}\n      ")


async def test_tail_begins_so_long_ago(lota: Lota, begin: Begin) -> None:
    """How long ago is by the server's clock, whatever the events themselves say of their time."""
    job = await completed(begin)
    words = ("events", "tail", "--job", job.id, "--since")
    assert len((await lota(*words, "1h")).out.splitlines()) == 5
    assert await lota(*words, "0s") == Ran(0, "", "")


async def test_tail_keeps_what_others_wrote_from_the_terminal(lota: Lota, begin: Begin) -> None:
    """An escape sequence in what an event says is printed as text, in its one line."""
    job = await begin(JobSpec(engine="noop", command=("\x1b[2J\nfake",)))
    ran = await lota("events", "tail", "--job", job.id)
    assert ran.out.endswith("noop: \\x1b[2J fake\n")
    assert len(ran.out.splitlines()) == 1


async def test_tail_skips_what_is_foreign(lota: Lota, begin: Begin, log: JetStreamLog) -> None:
    """A corrupt message is reported on stderr and the rest goes on."""
    job = await begin(NOOP)
    foreign = requests(job.id).replace("g.>", "c.n1.results.proposed")
    await log.append(foreign, b"{}", id=new_id())
    await job.plan()
    ran = await lota("events", "tail", "--job", job.id, "-o", "json")
    kinds = [json.loads(line)["type"] for line in ran.out.splitlines()]
    assert kinds == ["lota.job.submitted.v1", "lota.job.planned.v1"]
    assert "skipped" in ran.err


@pytest.mark.parametrize("verb", ["describe", "history", "logs", "wait", "cancel", "get"])
async def test_a_job_that_is_not_there_is_not_found(lota: Lota, verb: str) -> None:
    """Every command about a job exits with 3 when there is none."""
    ran = await lota("job", verb, "zzzz-no-such-job")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("lota: there is no job zzzz-no-such-job\n")


async def test_a_job_is_written_as_a_page(lota: Lota, begin: Begin, tmp_path: Path) -> None:
    """The page goes to stdout or to a file, which is there whole or not at all."""
    job = await completed(begin)
    file = tmp_path / "job.html"
    ran = await lota("job", "export", job.id[:20], "-o", str(file))
    assert (ran.code, ran.out) == (0, "")
    assert str(file) in ran.err
    page = file.read_text()
    assert page.startswith("<!doctype html>")
    assert job.id in page
    assert (await lota("job", "export", job.id)).out.startswith("<!doctype html>")
    nowhere = await lota("job", "export", job.id, "-o", str(tmp_path / "no" / "job.html"))
    assert nowhere.code != 0
    assert "cannot be written" in nowhere.err
    assert [path.name for path in tmp_path.iterdir()] == ["job.html"]
