"""`lota result ls` and `cat`: from nodes and published folders, nothing but what is asked."""

import json
import os
from pathlib import Path

import pytest

from events.spec import JobSpec, PublisherSpec, Sharding
from events.unixfs import CHUNK_SIZE_BYTES
from publishers.unixfs import tree_cid
from tests.node.cli.conftest import Begin, Lota, Ran, Serve
from tests.node.cli.job_on_log import JobOnLog
from tests.node.cli.result_sources import FolderSource, result

TWO = JobSpec(engine="noop", sharding=Sharding(count=2))
BIG = os.urandom(3 * CHUNK_SIZE_BYTES + 5)


@pytest.fixture
async def job(begin: Begin, serve: Serve, tmp_path: Path) -> JobOnLog:
    """A job of two shards, each held by a node of its own."""
    one = result(tmp_path / "one", big=BIG)
    two = result(tmp_path / "two", b"two\n")
    await serve("ls-one", FolderSource(tmp_path / "one"))
    await serve("ls-two", FolderSource(tmp_path / "two"))
    job = await begin(TWO)
    await job.run_all({0: ("ls-one", one), 1: ("ls-two", two)})
    return job


async def test_a_job_lists_its_shards(lota: Lota, job: JobOnLog) -> None:
    """A job's own address shows a line for each shard."""
    assert await lota("result", "ls", job.id) == Ran(0, "0/\n1/\n", "")


async def test_shards_without_a_result_are_counted(lota: Lota, begin: Begin) -> None:
    """What a list leaves out is told on stderr, with the state that the job is in."""
    job = await begin(TWO)
    await job.plan(shards=2)
    told = "lota: 2 of 2 shard(s) have no result: the job is running\n"
    assert await lota("result", "ls", job.id) == Ran(0, "", told)
    assert await lota("result", "ls", job.id, "-o", "json") == Ran(0, "[]\n", told)


async def test_a_folder_lists_its_names(lota: Lota, job: JobOnLog) -> None:
    """A shard and a folder in it show their names, folders with a slash."""
    ran = await lota("result", "ls", f"{job.id[:-1]}/0")
    assert ran == Ran(0, "exit_code\noutputs/\nstderr\nstdout\n", "")
    assert (await lota("result", "ls", f"{job.id}/0/outputs/")).out == "big\ndeep/\n"
    assert (await lota("result", "ls", f"{job.id}/0/outputs/big")).out == "big\n"


async def test_everything_is_listed_in_order(lota: Lota, job: JobOnLog) -> None:
    """Recursively, paths are whole and sizes are those of the files."""
    ran = await lota("result", "ls", job.id, "--recursive", "--output", "jsonl")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [row["path"] for row in rows if row["kind"] == "file"] == [
        "0/exit_code",
        "0/outputs/big",
        "0/outputs/deep/file.bin",
        "0/stderr",
        "0/stdout",
        "1/exit_code",
        "1/outputs/deep/file.bin",
        "1/stderr",
        "1/stdout",
    ]
    assert {row["path"]: row["size_bytes"] for row in rows}["0/outputs/big"] == len(BIG)
    array = await lota("result", "ls", job.id, "-r", "-o", "json")
    assert json.loads(array.out) == rows


async def test_sizes_are_shown_when_asked(lota: Lota, job: JobOnLog) -> None:
    """The long form has the size before the name."""
    ran = await lota("result", "ls", f"{job.id}/0/outputs/big", "-l")
    assert ran.out.split() == [f"{len(BIG):,}", "big"]


async def test_names_do_nothing_to_a_terminal(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """Control characters and bytes that are no text are spelled out, and JSON has them exactly."""
    claim = result(tmp_path / "held")
    odd = b"a\x1b[2J\n\xff\\.txt"
    with open(os.fsencode(tmp_path / "held" / "outputs") + b"/" + odd, "wb") as file:
        file.write(b"odd")
    claim = claim.__class__(*tree_cid(tmp_path / "held")[:2], 0)
    await serve("ls-odd", FolderSource(tmp_path / "held"))
    job = await begin(JobSpec(engine="noop"))
    await job.run_all({0: ("ls-odd", claim)})
    ran = await lota("result", "ls", f"{job.id}/0/outputs")
    assert ran.out == "a\\x1b[2J\\n\\xff\\\\.txt\ndeep/\n"
    row = json.loads((await lota("result", "ls", f"{job.id}/0/outputs", "-o", "json")).out)[0]
    assert os.fsencode(row["path"]) == odd
    assert row["encoded"] == "a%1B%5B2J%0A%FF%5C.txt"
    assert (await lota("result", "cat", f"{job.id}/0/outputs/{row['path']}")).out == "odd"


async def test_a_file_is_printed_raw(lota: Lota, job: JobOnLog) -> None:
    """`cat` writes one file of one shard and nothing else."""
    assert await lota("result", "cat", f"{job.id}/1/stdout") == Ran(0, "two\n", "")


async def test_a_range_costs_its_chunks(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """Of a long file only the chunk that holds the range is asked for."""
    source = FolderSource(tmp_path / "held")
    claim = result(tmp_path / "held", text=b"0123456789" * 400_000)
    await serve("ls-range", source)
    job = await begin(JobSpec(engine="noop"))
    await job.run_all({0: ("ls-range", claim)})
    place = f"{job.id}/0/outputs/text"
    ran = await lota("result", "cat", place, "--offset", "2500003", "--length", "5")
    assert ran == Ran(0, "34567", "")
    assert {offset // CHUNK_SIZE_BYTES for _, offset in source.read_from} == {2}
    assert (await lota("result", "cat", place, "--offset", "4000000")).out == ""


async def test_a_published_folder_needs_no_node(lota: Lota, begin: Begin, tmp_path: Path) -> None:
    """A copy that this machine can read is read there, and a damaged one is passed over."""
    claim = result(tmp_path / "held")
    spec = JobSpec(engine="noop", publishers=(PublisherSpec(driver="local"),))
    job = await begin(spec)
    await job.plan()
    await job.award("nobody", publish=(0,))
    await job.finish("nobody", claim)
    place = tmp_path / job.id / "0"
    place.parent.mkdir()
    (tmp_path / "held").rename(place)
    await job.publish("nobody", claim, f"file://{place}")
    assert await lota("result", "cat", f"{job.id}/0/stdout") == Ran(0, "hello\n", "")
    (place / "stdout").write_bytes(b"HELLO\n")
    ran = await lota("result", "cat", f"{job.id}/0/stdout")
    assert (ran.code, ran.out) == (1, "")
    assert str(place) in ran.err


async def test_wrong_bytes_are_passed_over(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """A published copy that was changed is named in a warning, and the next one is used."""
    claim = result(tmp_path / "held")
    spec = JobSpec(engine="noop", publishers=(PublisherSpec(driver="local"),))
    job = await begin(spec)
    await job.plan()
    await job.award("ls-honest", publish=(0,))
    await job.finish("ls-honest", claim)
    place = tmp_path / job.id / "0"
    result(place.parent.parent / "copy")
    place.parent.mkdir()
    (tmp_path / "copy").rename(place)
    (place / "stdout").write_bytes(b"HELLO\n")
    await job.publish("ls-honest", claim, f"file://{place}")
    await serve("ls-honest", FolderSource(tmp_path / "held"))
    ran = await lota("result", "cat", f"{job.id}/0/stdout")
    assert (ran.code, ran.out) == (0, "hello\n")
    assert f"lota: {place} has not all of shard 0" in ran.err


@pytest.mark.parametrize("address", ["nobody/x", "a/0/../b", "/0", "a/00", "a/-1/stdout"])
async def test_no_address_is_wrong_usage(lota: Lota, address: str) -> None:
    """What names no result is refused before anything is asked."""
    assert (await lota("result", "ls", address)).code == 2


async def test_what_is_not_there_is_not_found(lota: Lota, job: JobOnLog) -> None:
    """A path, a shard and a folder to print end with the code for what is not found."""
    assert (await lota("result", "cat", f"{job.id}/0/outputs/none")).code == 3
    assert (await lota("result", "ls", f"{job.id}/7")).code == 3
    assert (await lota("result", "cat", f"{job.id}/0/outputs")).code == 3
    assert (await lota("result", "cat", f"{job.id}/0")).code == 2
