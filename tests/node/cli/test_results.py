"""Fetching results and printing output: from published folders, and from nodes by RPC."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from nats.aio.client import Client

from events.decisions import ResultsJudged
from events.errors import NotFound
from events.items import Claim, Judgement
from events.spec import JobSpec, PublisherSpec
from node.rpc import Chunk, ResultSource, serve_rpc
from publishers.port import SmallResult
from publishers.skeleton import Skeleton
from publishers.unixfs import tree_cid
from tests.node.cli.conftest import Begin, Lota, Ran
from tests.node.cli.job_on_log import JobOnLog, claim_of

NOOP = JobSpec(engine="noop")
Serve = Callable[[str, ResultSource], Awaitable[None]]


class FolderSource:
    """A node that gives every execution the same folder, or lies about one file in it."""

    def __init__(self, folder: Path, *, lie: str = "") -> None:
        self._folder = folder
        self._lie = lie

    async def list(self, execution: str) -> list[tuple[str, int]]:
        files = [path for path in sorted(self._folder.rglob("*")) if path.is_file()]
        listed = [(str(path.relative_to(self._folder)), path.stat().st_size) for path in files]
        empty = [
            path for path in self._folder.rglob("*") if path.is_dir() and not any(path.iterdir())
        ]
        return listed + [(f"{path.relative_to(self._folder)}/", 0) for path in empty]

    async def read(self, execution: str, path: str, offset: int, limit: int) -> Chunk:
        if path == self._lie:
            return Chunk(b"lie"[offset : offset + limit], 3)
        data = (self._folder / path).read_bytes()
        return Chunk(data[offset : offset + limit], len(data))

    async def block(self, execution: str, cid: bytes) -> bytes:
        skeleton = Skeleton.build(self._folder)
        try:
            return skeleton.node(cid)
        finally:
            skeleton.close()


class GrowingSource:
    """A command that prints: `grow` adds to its stdout, and says when that was read."""

    def __init__(self) -> None:
        self._data = b""
        self._read_up_to = asyncio.Condition()
        self._offset = 0

    async def list(self, execution: str) -> list[tuple[str, int]]:
        raise NotFound("it runs still")

    async def read(self, execution: str, path: str, offset: int, limit: int) -> Chunk:
        async with self._read_up_to:
            self._offset = offset
            self._read_up_to.notify_all()
        return Chunk(self._data[offset : offset + limit], len(self._data), ended=False)

    async def block(self, execution: str, cid: bytes) -> bytes:
        raise NotFound("it runs still")

    async def grow(self, data: bytes) -> None:
        """Print more, and wait until the reader asks for what comes behind it."""
        self._data += data
        async with self._read_up_to:
            await self._read_up_to.wait_for(lambda: self._offset == len(self._data))


@pytest.fixture
async def serve(client: Client) -> AsyncIterator[Serve]:
    """Answer for nodes until the test ends."""
    async with AsyncExitStack() as stack:

        async def begin(node: str, source: ResultSource) -> None:
            stack.push_async_callback(await serve_rpc(client, node, source))

        yield begin


def result(folder: Path, stdout: bytes = b"hello\n") -> Claim:
    """Make the result folder of a command that wrote a file, too; return what is claimed of it."""
    SmallResult(stdout, b"oops\n", 0).write_to(folder)
    (folder / "outputs" / "deep" / "er").mkdir(parents=True)
    (folder / "outputs" / "deep" / "file.bin").write_bytes(bytes(range(256)) * 4096)
    tree = tree_cid(folder)
    return Claim(tree.cid, tree.dag_size_bytes, 0)


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


async def test_a_lie_is_not_kept(lota: Lota, begin: Begin, serve: Serve, tmp_path: Path) -> None:
    """Bytes that do not have the verdict's CID leave nothing behind."""
    claim = result(tmp_path / "held")
    await serve("get-b", FolderSource(tmp_path / "held", lie="stdout"))
    job = await ran_on(begin, "get-b", claim)
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert ran.code == 1
    assert "the verdict says" in ran.err
    assert list((tmp_path / "out").iterdir()) == []


async def test_more_than_the_result_is_refused(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """A node cannot fill the disk with what the verdict does not know of."""
    result(tmp_path / "held")
    await serve("get-c", FolderSource(tmp_path / "held"))
    job = await ran_on(begin, "get-c", claim_of(b"small"))
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert (ran.code, "more than the result has" in ran.err) == (1, True)


async def test_a_repeat_fetches_nothing(
    lota: Lota, begin: Begin, serve: Serve, tmp_path: Path
) -> None:
    """What is there and right stays, also when its node is gone."""
    (tmp_path / "out").mkdir()
    claim = result(tmp_path / "out" / "0")
    job = await ran_on(begin, "nobody", claim)
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert ran.code == 0


async def test_what_lies_in_the_way_is_left_alone(lota: Lota, begin: Begin, tmp_path: Path) -> None:
    """Another folder under the shard's name is an error, and is not touched."""
    (tmp_path / "out" / "0").mkdir(parents=True)
    (tmp_path / "out" / "0" / "mine").write_bytes(b"x")
    job = await ran_on(begin, "nobody", claim_of(b""))
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert (ran.code, "something else" in ran.err) == (1, True)
    assert (tmp_path / "out" / "0" / "mine").read_bytes() == b"x"


async def test_a_shard_without_result_says_so(lota: Lota, begin: Begin, tmp_path: Path) -> None:
    """A job that runs has nothing to fetch yet."""
    job = await begin(NOOP)
    await job.plan()
    ran = await lota("job", "get", job.id, "--output", str(tmp_path / "out"))
    assert (ran.code, "no accepted result, it is waiting" in ran.err) == (1, True)


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
