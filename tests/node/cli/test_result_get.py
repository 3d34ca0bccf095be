"""`lota result get`: whole files under their names, resumed, merged, shard by shard."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from events.spec import JobSpec, Sharding
from events.unixfs import CHUNK_SIZE_BYTES
from publishers.unixfs import tree_cid
from tests.lota_process import LOTA, Machine
from tests.node.cli.conftest import Begin, Lota, Ran, Serve
from tests.node.cli.job_on_log import JobOnLog, claim_of
from tests.node.cli.result_sources import FolderSource, result

NOOP = JobSpec(engine="noop")
TWO = JobSpec(engine="noop", sharding=Sharding(count=2))
CHUNKS = 8
BIG = os.urandom(CHUNKS * CHUNK_SIZE_BYTES)


def files(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder by their path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
async def two(begin: Begin, serve: Serve, tmp_path: Path) -> JobOnLog:
    """A job of two shards whose trees meet in some paths."""
    one = result(tmp_path / "one", b"one\n", alone=b"1", both=b"b1")
    two = result(tmp_path / "two", b"two\n", both=b"b2")
    await serve("get-one", FolderSource(tmp_path / "one"))
    await serve("get-two", FolderSource(tmp_path / "two"))
    job = await begin(TWO)
    await job.run_all({0: ("get-one", one), 1: ("get-two", two)})
    return job


async def test_a_folder_for_each_shard(lota: Lota, two: JobOnLog, tmp_path: Path) -> None:
    """Without more ado, every shard's tree arrives as it was, empty folders too."""
    out = tmp_path / "out"
    assert await lota("result", "get", two.id, "--output", str(out)) == Ran(0, f"{out}\n", "")
    assert sorted(path.name for path in out.iterdir()) == ["0", "1"]
    assert tree_cid(out / "0").cid == tree_cid(tmp_path / "one").cid
    assert tree_cid(out / "1").cid == tree_cid(tmp_path / "two").cid


async def test_a_glob_chooses_files(lota: Lota, two: JobOnLog, tmp_path: Path) -> None:
    """Only what matches is fetched, and only of the shards that are named."""
    out = tmp_path / "out"
    ran = await lota("job", "get", two.id, "--glob", "outputs/*", "-o", str(out), "--shard", "0")
    assert (ran.code, files(out)) == (0, {"0/outputs/alone": b"1", "0/outputs/both": b"b1"})
    ran = await lota("job", "get", two.id, "--glob", "std*", "-o", str(out))
    assert set(files(out)) == {
        "0/outputs/alone",
        "0/outputs/both",
        "0/stderr",
        "0/stdout",
        "1/stderr",
        "1/stdout",
    }


async def test_a_part_is_chosen_by_options(lota: Lota) -> None:
    """Who names a part as ls and cat take it learns how get does, before anything is asked."""
    ran = await lota("result", "get", "01kb2m/0/outputs")
    assert (ran.code, "--shard 0 and --glob" in ran.err) == (2, True)


@pytest.mark.parametrize("merge", [(), ("--merge", "layout"), ("--merge", "append")])
async def test_a_glob_that_matches_nothing_is_told(
    merge: tuple[str, ...], lota: Lota, two: JobOnLog, tmp_path: Path
) -> None:
    """A glob is for the path from the result's top; when no file has it, that is an error."""
    words = ("job", "get", two.id, "--glob", "*.csv", "-o", str(tmp_path / "out"), *merge)
    ran = await lota(*words)
    assert (ran.code, ran.out) == (3, "")
    assert "no file of 2 shard(s) matches '*.csv'" in ran.err
    assert "'**/*.csv'" in ran.err


async def test_files_are_appended(lota: Lota, two: JobOnLog, tmp_path: Path) -> None:
    """Files of one path become one, in the order of the shards."""
    out = tmp_path / "out"
    ran = await lota("result", "get", two.id, "--merge", "append", "--output", str(out))
    assert (ran.code, ran.err) == (0, "")
    found = files(out)
    assert (found["stdout"], found["outputs/both"]) == (b"one\ntwo\n", b"b1b2")
    assert (found["outputs/alone"], found["exit_code"]) == (b"1", b"00")
    assert found["outputs/deep/file.bin"] == bytes(range(256)) * 4096 * 2
    assert await lota("result", "get", two.id, "--merge", "append", "--output", str(out)) == ran


async def test_trees_are_laid_into_one(lota: Lota, two: JobOnLog, tmp_path: Path) -> None:
    """A path of one shard stays as it is, and one of several has the shard in its name."""
    out = tmp_path / "out"
    ran = await lota("result", "get", two.id, "--merge", "layout", "--output", str(out))
    assert (ran.code, ran.err) == (0, "")
    assert set(files(out)) == {
        "exit_code.shard-0",
        "exit_code.shard-1",
        "outputs/alone",
        "outputs/both.shard-0",
        "outputs/both.shard-1",
        "outputs/deep/file.shard-0.bin",
        "outputs/deep/file.shard-1.bin",
        "stderr.shard-0",
        "stderr.shard-1",
        "stdout.shard-0",
        "stdout.shard-1",
    }
    assert (out / "outputs" / "deep" / "er").is_dir()


async def test_a_file_and_a_folder_of_one_name(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """Laid out, both are there; appended, the file is refused and all else is there."""
    one = result(tmp_path / "one", deeper=b"")
    (tmp_path / "two").mkdir()
    result(tmp_path / "two" / "it")
    two_folder = tmp_path / "two" / "it"
    (two_folder / "outputs" / "deeper").mkdir()
    (two_folder / "outputs" / "deeper" / "x").write_bytes(b"x")
    tree = tree_cid(two_folder)
    two = one.__class__(tree.cid, tree.dag_size_bytes, 0)
    await serve("get-file", FolderSource(tmp_path / "one"))
    await serve("get-folder", FolderSource(two_folder))
    job = await begin(TWO)
    await job.run_all({0: ("get-file", one), 1: ("get-folder", two)})
    out = tmp_path / "layout"
    assert (await lota("result", "get", job.id, "--merge", "layout", "-o", str(out))).code == 0
    found = files(out)
    assert (found["outputs/deeper.shard-0"], found["outputs/deeper/x"]) == (b"", b"x")
    out = tmp_path / "append"
    ran = await lota("result", "get", job.id, "--merge", "append", "-o", str(out))
    assert (ran.code, "is a file in one shard and a folder in another" in ran.err) == (1, True)
    assert (out / "outputs" / "deeper" / "x").read_bytes() == b"x"


async def test_one_lie_costs_one_file(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """Wrong bytes never stand under a name, and what is right is there, of all shards."""
    claim = result(tmp_path / "held")
    await serve("get-honest", FolderSource(tmp_path / "held"))
    await serve("get-liar", FolderSource(tmp_path / "held", lie="stdout"))
    job = await begin(TWO)
    await job.run_all({0: ("get-liar", claim), 1: ("get-honest", claim)})
    out = tmp_path / "out"
    ran = await lota("result", "get", job.id, "--output", str(out))
    assert ran.code == 1
    assert "node get-liar has wrong bytes in 'stdout' of shard 0" in ran.err
    assert not (out / "0" / "stdout").exists()
    assert (out / "0" / "stderr").read_bytes() == b"oops\n"
    assert tree_cid(out / "1").cid == claim.cid


async def test_a_shard_that_nobody_has_holds_up_no_other(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """A shard whose node is away is told of, and the others are fetched."""
    claim = result(tmp_path / "held")
    await serve("get-there", FolderSource(tmp_path / "held"))
    job = await begin(TWO)
    await job.run_all({0: ("get-away", claim_of(b"x")), 1: ("get-there", claim)})
    out = tmp_path / "out"
    ran = await lota("result", "get", job.id, "--output", str(out))
    assert (ran.code, "no copy of shard 0" in ran.err, "get-away" in ran.err) == (1, True, True)
    assert tree_cid(out / "1").cid == claim.cid


@pytest.mark.parametrize("how", ["Ctrl-C", "kill"])
async def test_an_interrupted_get_goes_on(
    begin: Begin, serve: Serve, tmp_path: Path, nats_url: str, how: str
) -> None:
    """What was there before an interruption is not fetched again, and no part has a final name."""
    claim = result(tmp_path / "held", big=BIG)
    source = FolderSource(tmp_path / "held", free=12)
    await serve(f"get-{how}", source)
    job = await begin(NOOP)
    await job.run_all({0: (f"get-{how}", claim)})
    machine = Machine(tmp_path)
    out = tmp_path / "out"
    command = ("result", "get", job.id, "--output", out, "--server", nats_url)
    async with machine.start(LOTA, *command) as running:
        await source.stuck.wait()
        while not await asyncio.to_thread(written, out):
            pass
        assert not (out / "0" / "outputs" / "big").exists()
        if how == "Ctrl-C":
            assert (await running.interrupt()).code == 130
    there = written(out)
    source.hold.set()
    source.read_from.clear()
    ran = await machine.run(*command)
    assert (ran.code, ran.err) == (0, "")
    assert tree_cid(out / "0").cid == claim.cid
    assert [path.name for path in out.iterdir()] == ["0"]
    fetched = {at // CHUNK_SIZE_BYTES for path, at in source.read_from if path == "outputs/big"}
    assert fetched == set(range(CHUNKS)) - there


def written(out: Path) -> set[int]:
    """Return the chunks of the large file that are on the disk, under whatever name."""
    found = set()
    for part in (out / ".lota-part").glob("*"):
        data = part.read_bytes()
        for index in range(CHUNKS):
            chunk = slice(index * CHUNK_SIZE_BYTES, (index + 1) * CHUNK_SIZE_BYTES)
            if data[chunk] == BIG[chunk]:
                found.add(index)
    return found


SMALL_DISK = """
mount -t tmpfs -o size=2m none "$1" || exit 77
shift
"$@"
code=$?
find "$DISK" -type f ! -path "*/.lota-part/*" -exec sha256sum {} +
exit $code
"""


async def test_a_full_disk_ends_it_and_shows_nothing_wrong(
    begin: Begin, serve: Serve, tmp_path: Path, nats_url: str
) -> None:
    """A disk without room ends the command with what to do, and what is there is right."""
    claim = result(tmp_path / "held", big=BIG)
    await serve("get-full", FolderSource(tmp_path / "held"))
    job = await begin(NOOP)
    await job.run_all({0: ("get-full", claim)})
    machine = Machine(tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    get = (LOTA, "result", "get", job.id, "--output", disk / "out", "--server", nats_url)
    unshared = ("unshare", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh")
    async with machine.start(*unshared, disk, *get, DISK=str(disk)) as running:
        ran = await running.end()
    if ran.code not in (0, 1):
        pytest.skip(f"no disk can be mounted here: {ran.err}")
    assert ran.code == 1
    assert "No space left on device" in ran.err
    assert "make room, and repeat it to go on" in ran.err
    for line in ran.out.splitlines():
        digest, _, path = line.partition("  ")
        held = tmp_path / "held" / Path(path).relative_to(disk / "out" / "0")
        assert hashlib.sha256(held.read_bytes()).hexdigest() == digest
