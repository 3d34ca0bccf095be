"""Fetching results and printing output: from published folders, and from nodes by RPC."""

import asyncio
from pathlib import Path

from events.decisions import ResultsJudged
from events.items import Claim, Judgement
from events.spec import JobSpec, PublisherSpec
from publishers.port import SmallResult
from publishers.unixfs import tree_cid
from tests.node.cli.conftest import Begin, Lota, Ran, Serve
from tests.node.cli.job_on_log import JobOnLog, claim_of
from tests.node.cli.result_sources import FolderSource, GrowingSource, result

NOOP = JobSpec(engine="noop")


async def ran_on(begin: Begin, node: str, claim: Claim, spec: JobSpec = NOOP) -> JobOnLog:
    """Tell a job of one shard that a node has run and that was completed."""
    job = await begin(spec)
    await job.plan()
    await job.award(node, publish=tuple(range(len(spec.publishers))))
    await job.finish(node, claim)
    if not spec.publishers:
        await job.complete()
    return job


async def test_a_result_comes_from_its_node(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """Files, folders and empty folders arrive, and the folder's CID is the verdict's."""
    claim = result(tmp_path / "held")
    await serve("get-a", FolderSource(tmp_path / "held"))
    job = await ran_on(begin, "get-a", claim)
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert ran == Ran(0, f"{tmp_path / 'out'}\n", "")
    assert tree_cid(tmp_path / "out" / "0").cid == claim.cid
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0"]


async def test_a_published_copy_needs_no_node(lota: Lota, begin: Begin, tmp_path: Path) -> None:
    """A copy that this machine can read is taken, though no node answers."""
    spec = JobSpec(engine="noop", publishers=(PublisherSpec(driver="local"),))
    claim = result(tmp_path / "held")
    job = await ran_on(begin, "nobody", claim, spec)
    place = tmp_path / job.id / "0"
    place.parent.mkdir()
    (tmp_path / "held").rename(place)
    await job.publish("nobody", claim, f"file://{place}")
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert (ran.code, tree_cid(tmp_path / "out" / "0").cid) == (0, claim.cid)


async def test_a_repeat_fetches_nothing(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """What is there and right stays, also when its node is gone."""
    (tmp_path / "out").mkdir()
    claim = result(tmp_path / "out" / "0")
    job = await ran_on(begin, "nobody", claim)
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert ran.code == 0


async def test_what_lies_in_the_way_is_left_alone(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """Other files in a shard's folder are an error, and are not touched."""
    claim = result(tmp_path / "held")
    await serve("get-d", FolderSource(tmp_path / "held"))
    top = tmp_path / "out" / "0"
    top.mkdir(parents=True)
    (top / "mine").write_bytes(b"x")
    (top / "stdout").write_bytes(b"mine, too")
    job = await ran_on(begin, "get-d", claim)
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert (ran.code, f"{top / 'stdout'} is there and is something else" in ran.err) == (1, True)
    assert ((top / "mine").read_bytes(), (top / "stdout").read_bytes()) == (b"x", b"mine, too")
    (top / "stdout").unlink()
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert (ran.code, f"{top} holds something else too" in ran.err) == (1, True)


async def test_a_shard_without_result_says_so(lota: Lota, begin: Begin, tmp_path: Path) -> None:
    """A job that runs has nothing to fetch yet."""
    job = await begin(NOOP)
    await job.plan()
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert (ran.code, "no accepted result: it is waiting" in ran.err) == (1, True)


async def test_logs_are_the_raw_stdout(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """Stdout comes out byte by byte, and stderr when it is asked for."""
    claim = result(tmp_path / "held", b"no newline")
    await serve("logs-a", FolderSource(tmp_path / "held"))
    job = await ran_on(begin, "logs-a", claim)
    assert await lota("job", "logs", job.id) == Ran(0, "no newline", "")
    assert await lota("job", "logs", job.id, "--stderr", "--shard", "0") == Ran(0, "oops\n", "")


async def test_logs_of_a_shard_that_is_not_there(lota: Lota, begin: Begin) -> None:
    """A shard that the job does not have is not found, with those that it has."""
    job = await ran_on(begin, "nobody", claim_of(b""))
    ran = await lota("job", "logs", job.id, "--shard", "7")
    assert (ran.code, "shards 0 to 0" in ran.err) == (3, True)


async def test_logs_follow_a_running_command(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """What a command prints comes as it is printed, and the rest with the verdict, once."""
    claim = result(tmp_path / "held", b"one two three")
    growing = GrowingSource()
    await serve("logs-b", growing)
    job = await begin(NOOP)
    following = asyncio.ensure_future(lota("job", "logs", job.id, "--follow"))
    await job.plan()
    await job.award("logs-b")
    await growing.grow(b"one ")
    await growing.grow(b"two ")
    await growing.grow(b"three")
    growing.ended = FolderSource(tmp_path / "held")
    await job.finish("logs-b", claim)
    await job.complete()
    assert await following == Ran(0, "one two three", "")


async def test_a_failed_command_has_its_output(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """A shard that failed by its exit code is fetched and printed like any other."""
    SmallResult(b"why\n", b"", 3).write_to(tmp_path / "held")
    claim = claim_of(b"why\n", 3)
    await serve("logs-c", FolderSource(tmp_path / "held"))
    job = await ran_on_failing(begin, "logs-c", claim)
    assert (await lota("job", "logs", job.id)).out == "why\n"
    ran = await lota("job", "get", job.id, "--shard", "0", "--output", str(tmp_path / "out"))
    assert (ran.code, (tmp_path / "out" / "0" / "exit_code").read_bytes()) == (0, b"3")


async def ran_on_failing(begin: Begin, node: str, claim: Claim) -> JobOnLog:
    """Tell a job whose command exits with another code than 0, as far as the verdict."""
    job = await begin(NOOP)
    await job.plan()
    await job.award(node)
    await job.finish(node, claim)
    verdict = Judgement(0, "accepted", (0,), claim=claim)
    await job.append(ResultsJudged, "r1", judgements=(verdict,))
    return job
