"""`lota replay --check` and `--what-if` on recorded histories and on a server's log."""

import json
from pathlib import Path
from typing import Any

import pytest

from events.archive.lines import Stored
from events.decisions import ShardsAwardedData
from node.policy import Policy
from tests.events.archive.logs import CREATED, export
from tests.histories.decisions.verdicts import FOLDER, SUFFIX
from tests.node.cli.conftest import Lota
from tests.node.cli.job_on_log import JobOnLog
from tests.node.cli.test_replay import job
from tests.projections.audit.forging import Forged, replace
from tests.simulation.stage import JOB, Stage

HISTORY = str(FOLDER / f"2026-11.2-lost-nodes{SUFFIX}")
__all__ = ["job"]


@pytest.fixture
def forged(tmp_path: Path) -> tuple[str, int]:
    """Return an export in which an award goes to the other of two bidders, and its position."""
    stage = Stage(policy=Policy())
    stage.open()
    stage.submit(verifier="none")
    stage.play()
    log = Forged(stage.wire.log._records)

    def swap(data: ShardsAwardedData) -> ShardsAwardedData:
        offer = stage.job.offers[0]
        (other,) = (node for node in offer.bids if node != data.awards[0].node)
        return replace(data, awards=(replace(data.awards[0], node=other),))

    log.change("shards.awarded", swap)
    file = tmp_path / "forged.jsonl"
    stored = [
        Stored(position=n, subject=one.subject, time=CREATED, id=f"M{n}", body=one.body)
        for n, one in enumerate(log.messages, 1)
    ]
    file.write_bytes(b"".join(export(stored)))
    return str(file), log.find("shards.awarded") + 1


async def test_nothing_differs(lota: Lota) -> None:
    """Of a log that today's code would write again it says so, and exits with 0."""
    ran = await lota("replay", "--check", "--from", HISTORY, server="")
    view = json.loads(
        (await lota("replay", "--check", "--from", HISTORY, "-o", "json", server="")).out
    )

    assert (ran.code, ran.err) == (0, "")
    assert f"{view['decisions']} decision(s) about 1 job(s)" in ran.out
    assert f"{view['same']} are made again just so" in ran.out
    assert (view["differ"], view["first"]) == (0, None)


async def test_what_differs_is_shown_with_both(lota: Lota, forged: tuple[str, int]) -> None:
    """A decision that would differ is shown as it was and as it would be, and the exit is 1."""
    file, position = forged
    ran = await lota("replay", "--check", "--from", file, server="")
    assert ran.code == 1
    # What the other node ran was not its to run, so the completion does not follow either.
    assert "2 would differ, in 1 job(s): 1 job.completed, 1 shards.awarded" in ran.out
    assert f"#{position}  2026-" in ran.out
    assert "awards[0].node\n    recorded  n" in ran.out

    ran = await lota("replay", "--check", "--from", file, "-o", "json", server="")
    first: dict[str, Any] = json.loads(ran.out)["first"]
    assert (ran.code, first["position"], first["today"]) == (1, position, "shards.awarded")
    (change,) = first["changes"]
    assert change["recorded"] == first["recorded"]["awards"][0]["node"]
    assert change["today"] == first["decided"]["awards"][0]["node"]


async def test_up_to_a_point_and_of_a_job(lota: Lota, forged: tuple[str, int]) -> None:
    """What comes behind the point is not looked at, nor what is of other jobs."""
    file, position = forged
    words = ("replay", "--check", "--from", file, "-o", "jsonl")
    before = await lota(*words, "--until-position", str(position - 1), server="")
    assert (before.code, json.loads(before.out)["decisions"]) == (0, 1)
    assert (await lota(*words, "--job", JOB, server="")).code == 1
    assert (await lota(*words, "--job", "nothing", server="")).code == 3


async def test_a_server_is_read_too(lota: Lota, job: JobOnLog) -> None:
    """On a server's log, decisions by rules that are not known are counted, and do not differ."""
    ran = await lota("replay", "--check", "--job", job.id, "-o", "json")
    view = json.loads(ran.out)

    assert (ran.code, view["differ"]) == (0, 0)
    assert sum(view["undecidable"].values()) == view["decisions"] > 0


async def test_what_would_have_been(lota: Lota) -> None:
    """Other numbers show who would be asked, what it would cost, and where shards would go."""
    words = ("replay", "--what-if", "over_ask=1", "--from", HISTORY)
    ran = await lota(*words, server="")
    view = json.loads((await lota(*words, "-o", "json", server="")).out)

    assert (ran.code, ran.err) == (0, "")
    assert "as if the policy had over_ask=1" in ran.out
    for line in ("nodes asked", "events per job", "execution(s):", "job.planned offers.nodes"):
        assert line in ran.out
    assert view["numbers"] == {"over_ask": 1}
    assert view["executions"] == view["same_node"] + view["other_node"] + view["not_then"]


async def test_several_numbers(lota: Lota) -> None:
    """Numbers may be given one by one or by commas, and durations with their unit."""
    given = ("--what-if", "over_ask=3,bids_ms=1500ms", "--what-if", "presence_ms=20s")
    ran = await lota("replay", *given, "--from", HISTORY, "-o", "json", server="")

    assert json.loads(ran.out)["numbers"] == {
        "over_ask": 3,
        "bids_ms": 1500,
        "presence_ms": 20_000,
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--what-if", "over_aks=3"), "it has over_ask, groups_max"),
        (("--what-if", "over_ask"), "over_ask is given no value"),
        (("--what-if", "over_ask=0"), "over_ask=NUMBER from 1 on, like 3"),
        (("--what-if", "bids_ms=-1"), "like 500, 500ms or 2s"),
        (("--what-if", "version=x"), "the policy has no number 'version'"),
        (("--what-if", "over_ask=3", "--check"), "give one of them"),
        (("--what-if", "over_ask=3", "--step"), "--what-if is about decisions"),
        (("--check", "--node", "n1"), "--check is about decisions"),
    ],
)
async def test_errors_say_what_to_do(lota: Lota, words: tuple[str, ...], told: str) -> None:
    """What is no number of the policy, and what does not go together, has its error."""
    ran = await lota("replay", *words, "--from", HISTORY, server="")

    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
