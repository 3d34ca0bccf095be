"""`lota job ...` against `lota dev`, as a user would go about it."""

import json
from pathlib import Path

from tests.acceptance.conftest import Lota
from tests.contracts.executor_drivers import Lifeline
from tests.lota_process import LOTA, Machine

SPEC = """
name: letters
engine: process
command: [sh, -c, "ls inputs/data; echo $LOTA_SHARD > outputs/number"]
inputs:
  - source: data
sharding: {size: 2}
deal: {replicas: 2}
publishers: [{driver: local}]
timeout: 30s
"""


def make_letters(folder: Path) -> None:
    """Make the job's input, four files, and its spec."""
    (folder / "data").mkdir()
    for name in "abcd":
        (folder / "data" / name).write_text(name)
    (folder / "letters.yaml").write_text(SPEC)


async def test_a_job_from_its_file_to_its_results(machine: Machine, lota: Lota) -> None:
    """Submit, wait, describe, logs, history, ls and get tell the same of a job."""
    make_letters(machine.empty)
    submitted = await lota("job", "submit", "letters.yaml")
    assert submitted.code == 0, submitted.err
    job = submitted.out.strip()
    waited = await lota("job", "wait", job, "--timeout", "30s")
    assert (waited.code, waited.out) == (0, "completed\n"), waited.err
    described = json.loads((await lota("job", "describe", job, "-o", "json")).out)
    assert (described["id"], described["state"]) == (job, "completed")
    assert [shard["index"] for shard in described["shards"]] == [0, 1]
    for shard in described["shards"]:
        assert shard["verdict"]["result"] == "accepted"
        nodes = {execution["node"] for execution in shard["executions"]}
        assert nodes == {"node-1", "node-2"}
        assert {execution["state"] for execution in shard["executions"]} == {"accepted"}
        (copy,) = shard["publications"]
        assert copy["publisher"] == "local"
        assert copy["cid"] == shard["verdict"]["claim"]["cid"]
    assert (await lota("job", "logs", job)).out == "a\nb\nc\nd\n"
    assert "job.completed" in (await lota("job", "history", job)).out
    (row,) = json.loads((await lota("job", "ls", "-o", "json")).out)
    assert (row["id"], row["name"], row["state"]) == (job, "letters", "completed")
    got = await lota("job", "get", job, "--output", "results")
    assert got.code == 0, got.err
    assert (machine.empty / "results" / "1" / "outputs" / "number").read_text() == "1\n"
    assert (await lota("cid", "results")).out.strip() == described["root_cid"]


async def test_a_job_is_cancelled(machine: Machine, lota: Lota) -> None:
    """Cancel waits for the decision, and afterwards it is too late."""
    (machine.empty / "long.json").write_text(
        '{"engine": "process", "command": ["sleep", "300"], "timeout": "10m"}'
    )
    job = (await lota("job", "submit", "long.json")).out.strip()
    cancelled = await lota("job", "cancel", job, "--reason", "wrong input")
    assert (cancelled.code, cancelled.out) == (0, "cancelled\n"), cancelled.err
    waited = await lota("job", "wait", job)
    assert (waited.code, waited.out) == (1, "cancelled\n")
    done = (await lota("job", "submit", "-", stdin=b"engine: noop")).out.strip()
    assert (await lota("job", "wait", done)).code == 0
    late = await lota("job", "cancel", done)
    assert (late.code, late.out) == (1, "completed\n")
    assert "too late" in late.err


async def test_a_job_says_why_it_waits(lota: Lota) -> None:
    """Describe names the nodes that cannot take a job, and why; waiting for it can time out."""
    spec = b"{engine: process, command: [date], resources: {memory: 900Ti}}"
    job = (await lota("job", "submit", "-", stdin=spec)).out.strip()
    waited = await lota("job", "wait", job, "--timeout", "300ms")
    assert (waited.code, waited.out) == (5, "")
    described = await lota("job", "describe", job)
    for name in ("node-1", "node-2"):
        assert name in described.out
    assert "memory" in described.out


async def test_the_log_is_read_as_documents(lota: Lota) -> None:
    """`events tail -o json` prints one CloudEvents document a line."""
    ran = await lota("run", "--", "echo", "hello")
    assert ran.code == 0, ran.err
    tail = await lota("events", "tail", "-o", "json")
    events = [json.loads(line) for line in tail.out.splitlines()]
    assert {event["specversion"] for event in events} == {"1.0"}
    assert [event["type"] for event in events][-1] == "lota.job.completed.v1"
    assert all(event["id"] and event["source"] for event in events)


async def test_a_job_that_is_not_there(lota: Lota) -> None:
    """A job that does not exist is exit code 3 with a hint."""
    ran = await lota("job", "describe", "01nothing")
    assert (ran.code, ran.out) == (3, "")
    assert "lota job ls" in ran.err


async def test_ctrl_c_detaches_and_the_job_goes_on(machine: Machine, lota: Lota) -> None:
    """Ctrl-C during `lota run` exits with 130 and names the job, which completes all the same."""
    (machine.folder / "line").mkdir()
    lifeline = Lifeline(machine.folder / "line")
    path = machine.folder / "line"
    text = f"exec 9>{path}/alive; echo started >&9; read x <{path}/go; echo done"
    async with machine.start(LOTA, "run", "--timeout", "50s", "--", "sh", "-c", text) as run:
        assert await lifeline.line() == b"started\n"
        ran = await run.interrupt()
    assert ran.code == 130
    (job,) = (await lota("job", "ls", "-q")).out.split()
    assert f"lota job wait {job}" in ran.err
    await lifeline.go()
    assert (await lota("job", "wait", job)).out == "completed\n"
    assert (await lota("job", "logs", job)).out == "done\n"
    lifeline.close()
