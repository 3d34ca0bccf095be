"""The programs in Python, on a live network."""

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.spec import JobSpec
from tests.integration.small_network import SmallNetwork
from tests.lota_process import Machine

ROOT = Path(__file__).parents[2]
TAIL = ROOT / "examples/python/tail.py"
SUBMIT = ROOT / "examples/python/submit.py"
NOTIFY = ROOT / "examples/python/notify.py"


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[SmallNetwork]:
    """A network of two nodes."""
    async with SmallNetwork(tmp_path / "network") as network:
        for name in ("n1", "n2"):
            await network.start(name)
        await network.watch.joined("n1", "n2")
        yield network


async def fail(network: SmallNetwork) -> str:
    """Let a job fail."""
    job = await network.watch.submit(JobSpec(engine="process", command=("false",)))
    assert (await network.watch.ended(job)).state == "failed"
    return job


async def test_tail_prints_what_is_there_and_what_comes(
    network: SmallNetwork, machine: Machine
) -> None:
    """It prints the events of the types that it is asked for, until Ctrl-C."""
    first = await network.watch.submit(JobSpec(engine="noop"))
    await network.watch.ended(first)
    words = (sys.executable, TAIL, "job.submitted", "job.completed")
    async with machine.start(*words, LOTA_SERVER=network.url) as running:
        await running.line(f"job.completed {first}")
        second = await network.watch.submit(JobSpec(engine="noop"))
        await running.line(f"job.completed {second}")
        ran = await running.interrupt()

    assert [line.split()[2:] for line in ran.out.splitlines()] == [
        [kind, job] for job in (first, second) for kind in ("job.submitted", "job.completed")
    ]
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [(("seq", "3"), 0, "completed baf"), (("false",), 1, "failed the command exited with 1")],
    ids=["good", "bad"],
)
async def test_submit_waits_for_the_end(
    network: SmallNetwork, machine: Machine, command: tuple[str, ...], code: int, told: str
) -> None:
    """It prints the job's id at once, then how the job ended, and exits accordingly."""
    async with machine.start(sys.executable, SUBMIT, *command, LOTA_SERVER=network.url) as running:
        ran = await running.end()

    (job,) = network.watch.network.jobs
    submitted, outcome = ran.out.splitlines()
    assert submitted == f"submitted {job}"
    assert outcome.startswith(told)
    assert (ran.code, ran.err) == (code, "")


async def test_notify_leaves_no_failure_out(
    network: SmallNetwork, machine: Machine, tmp_path: Path
) -> None:
    """Jobs that failed before it was ever there are not told of, those in its absence are."""
    words = (sys.executable, NOTIFY, tmp_path / "seen", "echo", "told:")
    jobs = [await fail(network)]
    async with machine.start(*words, LOTA_SERVER=network.url) as running:
        await running.line("from position")
        jobs.append(await fail(network))
        await running.line(f"job {jobs[1]} failed")
        first = await running.interrupt()
    jobs.append(await fail(network))
    async with machine.start(*words, LOTA_SERVER=network.url) as running:
        await running.line(f"job {jobs[2]} failed")
        jobs.append(await fail(network))
        await running.line(f"job {jobs[3]} failed")
        again = await running.interrupt()

    told = re.findall(r"^told: job (\w+) failed", first.out + again.out, re.MULTILINE)
    assert list(dict.fromkeys(told)) == jobs[1:]


@pytest.mark.parametrize(
    ("program", "words", "usage"),
    [
        (SUBMIT, (), "submit.py COMMAND..."),
        (NOTIFY, (), "notify.py FILE COMMAND..."),
        (NOTIFY, ("seen",), "notify.py FILE COMMAND..."),
    ],
)
async def test_who_names_no_command_is_told_how(
    machine: Machine, program: Path, words: tuple[str, ...], usage: str
) -> None:
    """The usage is printed, and nothing else is done: no server is needed for it."""
    async with machine.start(sys.executable, program, *words) as running:
        ran = await running.end()
    assert (ran.code, ran.out) == (1, "")
    assert usage in ran.err
    assert not list(machine.empty.iterdir())
