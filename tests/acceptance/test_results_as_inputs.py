"""One job's results as the inputs of another: `--input lota://JOB[/SHARD[/PATH]]`."""

import pytest

from tests.acceptance.conftest import Lota

FILES = ("exit_code", "outputs/d/n.txt", "stderr", "stdout")
WRITE = "mkdir -p outputs/d && echo $LOTA_SHARD > outputs/d/n.txt && echo said $LOTA_SHARD"


@pytest.fixture
async def first(lota: Lota) -> str:
    """The id of a completed job of two shards, each with a file in `outputs/d`."""
    ran = await lota("run", "--shards", "2", "--", "sh", "-c", WRITE)
    assert ran.code == 0, ran
    return (await lota("job", "ls", "-q")).out.strip()


async def test_a_whole_job_is_an_input(lota: Lota, first: str) -> None:
    """All files of all shards are there, below the shard's number, unsharded unless asked."""
    ran = await lota(
        "run", "--input", f"lota://{first}:before", "--", "sh", "-c",
        "cd inputs/before && find . -type f | sort && cat 0/outputs/d/n.txt 1/stdout",
    )  # fmt: skip
    assert ran.code == 0, ran
    shards = [f"./{n}/{name}" for n in (0, 1) for name in FILES]
    assert ran.out.splitlines() == [*shards, "0", "said 1"]


async def test_a_path_of_a_shard_is_an_input(lota: Lota, first: str) -> None:
    """A folder or one file of a shard can be named, with its base name as the default place."""
    source = f"lota://{first[:12]}/1/outputs/d"
    ran = await lota("run", "--input", source, "--", "cat", "inputs/d/n.txt")
    assert (ran.code, ran.out) == (0, "1\n"), ran
    ran = await lota("run", "--input", f"{source}/n.txt", "--", "cat", "inputs/n.txt")
    assert (ran.code, ran.out) == (0, "1\n"), ran


async def test_results_are_sharded_like_any_input(lota: Lota, first: str) -> None:
    """A glob chooses among the files of a result, and each shard gets its part of them."""
    ran = await lota(
        "run", "--input", f"lota://{first}:in", "--shard-glob", "*/stdout", "--shard-size", "1",
        "--replicas", "2", "--", "sh", "-c", "cat inputs/in/*/stdout",
    )  # fmt: skip
    assert (ran.code, ran.out) == (0, "said 0\nsaid 1\n"), ran


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("nosuchjob", "there is no job"),
        ("{}/7", "no shard 7"),
        ("{}/0/outputs/none", "none"),
        ("{}/x", "names no result"),
        ("{}/0/outputs/%ff", "is not UTF-8\n      name its folder"),
    ],
)
async def test_what_is_no_result_is_refused(lota: Lota, first: str, address: str, why: str) -> None:
    """A job, shard or path that is not there is refused before anything is submitted."""
    ran = await lota("run", "--input", f"lota://{address.format(first)}", "--", "true")
    assert ran.code != 0
    assert why in ran.err
    assert (await lota("job", "ls", "-q")).out.split() == [first]
