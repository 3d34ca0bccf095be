"""`lota stats` on a server's log and on an export of it."""

import json
from pathlib import Path

import pytest
import yaml

from events.jetstream import JetStreamLog
from events.spec import JobSpec
from node.cli.main import main
from tests.events.archive.logs import export
from tests.node.cli.conftest import Begin, Lota
from tests.node.cli.job_on_log import claim_of, join
from tests.projections.audit.sweep import stored_of
from tests.projections.statistics.counted import Oracle
from tests.simulation.world import Plan, World

CLAIM = claim_of(b"hello\n")


@pytest.fixture(scope="module")
def world() -> World:
    """Return a simulated network, in which nodes fail and lie, at its end."""
    world = World(Plan(seed=1055, jobs=8))
    world.run()
    return world


@pytest.fixture(scope="module")
def file(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export of its log."""
    path = tmp_path_factory.mktemp("stats") / "log.jsonl"
    path.write_bytes(b"".join(export(stored_of(world))))
    return path


@pytest.fixture
def counts(world: World) -> dict[str, int]:
    """Return all counts of its log that are not 0."""
    return Oracle(world.wire.log.records(limit=1 << 20)).counts()


async def test_a_job_is_counted(lota: Lota, begin: Begin, log: JetStreamLog) -> None:
    """What has happened a moment ago is in the totals of the server's log."""

    async def totals() -> dict[str, int]:
        ran = await lota("stats", "--since", "2026-01-01", "-o", "json")
        assert ran.code == 0, ran.err
        found: dict[str, int] = json.loads(ran.out)["totals"]
        return found

    before = await totals()
    await join(log, "counted", "compute", engines=("noop",))
    job = await begin(JobSpec(engine="noop"))
    await job.plan()
    await job.award("counted")
    await job.finish("counted", CLAIM)
    await job.complete()
    after = await totals()

    for name in ("jobs.submitted", "jobs.completed", "shards.completed", "executions.awarded"):
        assert after[name] == before[name] + 1


def test_a_file_is_counted(
    file: Path, counts: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an export, by default, all of its last week is told, back from its newest event."""
    assert main(["stats", "--from", str(file), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert {name: n for name, n in told["totals"].items() if n and name != "events"} == counts
    assert told["series"]["nodes"][-1] > 0


def test_all_forms_tell_the_same(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, YAML and lines it is the same series; a line is a point."""
    words = ["stats", "--from", str(file), "--by", "minute", "-o"]
    outs = []
    for form in ("json", "yaml", "jsonl"):
        assert main([*words, form]) == 0
        outs.append(capsys.readouterr().out)
    told = json.loads(outs[0])
    lines = [json.loads(line) for line in outs[2].splitlines()]

    assert yaml.safe_load(outs[1]) == told
    assert [line.pop("time") for line in lines] == told["times"]
    assert {name: [line[name] for line in lines] for name in lines[0]} == told["series"]
    assert told["step_s"] == 60


def test_the_table_has_bars(
    file: Path, counts: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table, each number that is not 0 stands beside bars over time, in 80 columns."""
    assert main(["stats", "--from", str(file)]) == 0
    out = capsys.readouterr().out.splitlines()

    def line(beginning: str) -> str:
        (found,) = (line for line in out if line.startswith(beginning))
        return found

    assert "UTC" in out[0]
    assert line("jobs submitted").split()[2] == f"{counts['jobs.submitted']}"
    assert "█" in line("jobs submitted")
    assert line("execution io").split()[2] == f"{counts['failures.execution.io']}"
    assert "jobs cancelled" in "".join(out)
    assert not any(line.startswith("bids declined") for line in out)
    assert max(len(line.rstrip()) for line in out[1:]) <= 80


def test_sizes_are_in_the_units_of_the_pages(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the dashboard calls GiB is no other number of GB here."""
    assert main(["stats", "--from", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    memory = next(line for line in lines if line.startswith("memory declared"))
    assert memory.split()[3] == "GiB"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--since", "soon"], "'soon' is no time"),
        (["--since", "1234"], "1234 is no time"),
        (["--since", "1h", "--until", "2h"], "has no length"),
        (["--since", "2h", "--until", "2h"], "has no length"),
        (["--since", "3d", "--by", "second"], "259,200 points of 1 s"),
        (["--since", "3d", "--until", "71h", "--by", "second"], "kept for 2 hours only"),
        (["--by", "week"], "week"),
        (["--server", "nats://127.0.0.1:4222"], "--from reads a file"),
    ],
)
def test_what_cannot_be_meant(
    words: list[str], what: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A range or a step that cannot be answered for is refused in two lines, with what to do."""
    assert main(["stats", "--from", str(file), *words]) == 2
    told = capsys.readouterr()

    assert told.out == ""
    assert what in told.err
    assert len(told.err.splitlines()) >= 2


def test_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no export is refused as everywhere."""
    path = tmp_path / "notes.txt"
    path.write_text("not a log\n")
    assert main(["stats", "--from", str(path)]) == 1
    assert "not the beginning of an export" in capsys.readouterr().err
