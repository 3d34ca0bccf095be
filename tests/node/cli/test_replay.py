"""`lota replay` on a server's log and on an export of it."""

import asyncio
import json
import os
import pty
from pathlib import Path

import pytest

from events.jetstream import JetStreamLog
from events.spec import JobSpec
from node.cli.keys import END, Keys
from tests.node.cli.conftest import Begin, Lota
from tests.node.cli.job_on_log import JobOnLog, claim_of, join

NOOP = JobSpec(engine="noop")
CLAIM = claim_of(b"hello\n")


@pytest.fixture
async def job(begin: Begin, log: JetStreamLog) -> JobOnLog:
    """Tell a job of one shard, with a node that runs it, to its end."""
    await join(log, "replayed", "compute", engines=("noop",))
    job = await begin(NOOP)
    await job.plan()
    await job.award("replayed")
    await job.finish("replayed", CLAIM)
    await job.complete()
    return job


async def test_the_end_is_what_is_now(lota: Lota, job: JobOnLog) -> None:
    """Without a point, replay shows of a job what describe does."""
    now = json.loads((await lota("job", "describe", job.id, "-o", "json")).out)
    ran = await lota("replay", "--job", job.id, "-o", "json")
    past = json.loads(ran.out)
    assert ran.code == 0, ran.err
    assert {field: past[field] for field in now} == now


async def test_a_job_is_as_it_was(lota: Lota, job: JobOnLog, log: JetStreamLog) -> None:
    """At the position of its award a job runs, and nothing later is known of it."""
    award = await log.last() - 2
    words = ("replay", "--job", job.id, "--until-position", str(award), "-o", "jsonl")
    view = json.loads((await lota(*words)).out)
    (shard,) = view["shards"]
    assert (view["position"], view["state"], shard["state"]) == (award, "running", "running")
    assert [lane["state"] for lane in view["lanes"]["lanes"]] == ["awarded"]
    assert view["root_cid"] is None


async def test_a_node_is_as_it_was(lota: Lota, job: JobOnLog, log: JetStreamLog) -> None:
    """At the position of the award the node holds the execution, at the end it does not."""
    award = await log.last() - 2
    words = ("replay", "--node", "replayed", "-o", "json")
    then = json.loads((await lota(*words, "--until-position", str(award))).out)
    now = json.loads((await lota(*words)).out)
    assert [held["id"] for held in then["executions"]] == [f"{job.id}-0-0"]
    assert (then["state"], now["executions"]) == ("live", [])


async def test_tables_show_the_same(lota: Lota, job: JobOnLog) -> None:
    """For people there is a table of the network, of a node, and of a job with its timeline."""
    network = (await lota("replay")).out
    node = (await lota("replay", "--node", "replayed")).out
    past = (await lota("replay", "--job", job.id)).out
    assert "Waits for" in network
    assert "replayed" in network
    assert "Verdicts" in node
    for words in ("Position", "completed", "STAGE", "verify", "0-0", "✓"):
        assert words in past


async def test_an_export_is_replayed_without_a_server(
    lota: Lota, job: JobOnLog, tmp_path: Path, nats_url: str
) -> None:
    """From an export come the same network, job and steps as from the server it was made from."""
    file = tmp_path / "log.jsonl"
    await lota("events", "export", "-o", str(file))
    for words in ((), ("--job", job.id), ("--step",)):
        form = ("-o", "jsonl")
        there = await lota("replay", *words, *form)
        here = await lota("replay", *words, *form, "--from", str(file), server="")
        assert here.code == 0, here.err
        assert here.out == there.out
    for way in ((), ("--step",), ("--check",)):
        none = await lota("replay", "--job", "nothing", *way, "--from", str(file), server="")
        assert none.code == 3
        assert "lota replay --closed with the same --from" in none.err


async def test_a_time_is_the_servers(lota: Lota, job: JobOnLog) -> None:
    """A time stands for what the server had stored by then, whatever the authors' clocks said."""
    ran = await lota("replay", "--until-time", "2999-01-01", "-o", "json")
    before = await lota("replay", "--until-time", "5h ago", "--job", job.id)
    assert (ran.code, before.code) == (0, 2)
    assert "is before the first event of the log" in before.err
    first = json.loads((await lota("events", "tail", "-o", "json")).out.splitlines()[0])
    assert first["time"] in before.err  # what it says of itself


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("--until-position", "99999999"), "beyond the end of the log", 2),
        (("--until-position", "0"), "before the first event of the log", 2),
        (("--until-time", "1999-12-31"), "before the first event of the log", 2),
        (("--until-time", "yesterday"), "no point in the log", 2),
        (("--until-time", "12"), "--until-position 12", 2),
        (("--until-time", "1h", "--until-position", "1"), "both points", 2),
        (("--job", "a", "--node", "b"), "both given", 2),
        (("--shard", "0"), "give --job", 2),
        (("--step", "-o", "yaml"), "-o jsonl", 2),
        (("--closed", "--node", "replayed"), "--closed is about the network", 2),
        (("--step", "--node", "never-here"), "no event up to position", 3),
        (("--node", "never-here"), "no node never-here had joined", 3),
        (("--job", "nothing"), "there is no job nothing", 3),
        (("--from", "log.jsonl"), "give one of them", 2),
    ],
)
async def test_errors_say_what_to_do(
    lota: Lota, job: JobOnLog, words: tuple[str, ...], told: str, code: int
) -> None:
    """A point outside the log, a contradiction, and what is not there each have their error."""
    ran = await lota("replay", *words)
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err


async def test_a_job_of_later_is_not_there_yet(
    lota: Lota, job: JobOnLog, log: JetStreamLog
) -> None:
    """Before its submission a job is not found, and the position says why."""
    before = await log.last() - 5
    ran = await lota("replay", "--job", job.id, "--until-position", str(before))
    assert (ran.code, "was not there yet at position" in ran.err) == (3, True)


async def test_steps_are_lines(lota: Lota, job: JobOnLog) -> None:
    """As lines of JSON, each event of a job is one object with what it changed."""
    ran = await lota("replay", "--job", job.id, "--step", "-o", "jsonl")
    steps = [json.loads(line) for line in ran.out.splitlines()]
    assert [step["type"] for step in steps][:2] == ["job.submitted", "job.planned"]
    assert len(steps) == 5
    (awarded,) = (
        change
        for change in steps[2]["changes"]
        if (change["what"], change["field"]) == ("execution", "state")
    )
    assert (awarded["name"], awarded["node"]) == ("0-0", "replayed")
    assert (awarded["before"], awarded["after"]) == (None, "awarded")
    assert steps[3]["cause"]["kind"] == "shards.awarded"
    assert steps[3]["after_ms"] == 500


async def test_steps_print_all_in_a_pipe(lota: Lota, job: JobOnLog) -> None:
    """Where there is no terminal, nobody is asked for keys."""
    ran = await lota("replay", "--job", job.id, "--step")
    assert "execution 0-0 (replayed): awarded" in ran.out
    assert "in answer to shards.awarded, 1 event before" in ran.out
    assert "\x1b" not in ran.out


async def test_history_has_a_timeline(lota: Lota, job: JobOnLog) -> None:
    """`lota job history --timeline` shows the lanes, of one shard if asked."""
    table = (await lota("job", "history", job.id, "--timeline")).out
    words = ("job", "history", job.id, "--timeline", "-o", "json")
    view = json.loads((await lota(*words, "--shard", "0")).out)
    missing = await lota(*words, "--shard", "1")
    assert "0-0" in table
    assert [stage["stage"] for stage in view["stages"]][:2] == ["queue", "bid"]
    assert (missing.code, "has no shard 1" in missing.err) == (3, True)


async def test_keys_come_as_they_are_pressed() -> None:
    """Keys are read one by one from a terminal, and its end is told as Ctrl-D."""
    far, near = pty.openpty()
    try:
        with Keys(near) as keys:
            os.write(far, "bé".encode())
            async with asyncio.timeout(10):
                assert [await keys.next(), await keys.next()] == ["b", "é"]
                os.write(far, END.encode())
                assert await keys.next() == END
    finally:
        os.close(near)
        os.close(far)
