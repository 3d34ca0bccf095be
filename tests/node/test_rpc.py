"""Asking a node for what it holds, over a real server."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client

from events.cid import node_cid_bytes
from events.connection import connect
from events.errors import LotaError, NodeSilent, NotFound
from node.rpc import (
    CHUNK_BYTES_MAX,
    Chunk,
    is_safe,
    list_result,
    read_block,
    read_result,
    serve_rpc,
    stream_result,
)

EXECUTION = "job-0-0"
ODD = os.fsdecode(b"outputs/\xff \n%20.bin")


class HeldResults:
    """A node's results in memory; it answers for one execution."""

    def __init__(self, files: dict[str, bytes], *, ended: bool = True) -> None:
        self.files = files
        self.ended = ended
        self.asked: list[str] = []
        self.blocks: dict[bytes, bytes] = {}
        self.busy = 0

    async def list(self, execution: str) -> list[tuple[str, int]]:
        if execution != EXECUTION:
            raise NotFound(f"there is no execution {execution} here")
        return [(path, len(data)) for path, data in sorted(self.files.items())]

    async def read(self, execution: str, path: str, offset: int, limit: int) -> Chunk:
        self.asked.append(path)
        if path not in self.files:
            raise NotFound(f"there is no file {path}")
        if path == "broken":
            raise OSError(5, "Input/output error")
        data = self.files[path]
        return Chunk(data[offset : offset + limit], len(data), self.ended)

    async def block(self, execution: str, cid: bytes) -> bytes:
        if self.busy:
            self.busy -= 1
            raise NodeSilent("its blocks are being made")
        if cid not in self.blocks:
            raise NotFound("there is no such block")
        return self.blocks[cid]


@asynccontextmanager
async def serving(url: str, node: str, source: HeldResults) -> AsyncIterator[Client]:
    """Serve a source under a node's name and give the connection to ask it by."""
    client = await connect(url, name="rpc-test")
    stop = await serve_rpc(client, node, source)
    try:
        yield client
    finally:
        await stop()
        await client.close()


async def test_a_file_of_many_chunks_arrives_whole(nats_url: str) -> None:
    """A file larger than one answer is put together from as many as it takes."""
    data = os.urandom(2 * CHUNK_BYTES_MAX + 7)
    async with serving(nats_url, "rpc-a", HeldResults({"outputs/big": data})) as client:
        parts = [part async for part in stream_result(client, "rpc-a", EXECUTION, "outputs/big")]
    assert b"".join(parts) == data
    assert max(map(len, parts)) == CHUNK_BYTES_MAX


async def test_an_empty_file_streams_nothing(nats_url: str) -> None:
    """A file without bytes is there and yields none."""
    async with serving(nats_url, "rpc-b", HeldResults({"stdout": b""})) as client:
        assert [p async for p in stream_result(client, "rpc-b", EXECUTION, "stdout")] == []


async def test_names_are_bytes(nats_url: str) -> None:
    """A name that is not text is listed and read like any other."""
    async with serving(nats_url, "rpc-c", HeldResults({ODD: b"x", "outputs/": b""})) as client:
        listed = await list_result(client, "rpc-c", EXECUTION)
        chunk = await read_result(client, "rpc-c", EXECUTION, ODD)
    assert dict(listed) == {ODD: 1, "outputs/": 0}
    assert chunk.data == b"x"


async def test_a_long_list_comes_in_pages(nats_url: str) -> None:
    """A list that does not fit one message arrives in full."""
    files = {f"outputs/{'n' * 200}{number:05}": b"" for number in range(5000)}
    async with serving(nats_url, "rpc-d", HeldResults(files)) as client:
        listed = await list_result(client, "rpc-d", EXECUTION)
    assert [path for path, _ in listed] == sorted(files)


async def test_a_running_file_says_that_it_has_not_ended(nats_url: str) -> None:
    """A reader can tell the present end of a growing file from its last."""
    async with serving(nats_url, "rpc-e", HeldResults({"stdout": b"so far"}, ended=False)) as asker:
        chunk = await read_result(asker, "rpc-e", EXECUTION, "stdout", offset=3)
    assert chunk == Chunk(b"far", 6, ended=False)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "outputs/../../x", "a//b", "", "a\0"])
async def test_no_path_leaves_the_result(nats_url: str, path: str) -> None:
    """A path that could lead out of the result never reaches the node's disk."""
    source = HeldResults({"stdout": b""})
    async with serving(nats_url, "rpc-f", source) as client:
        with pytest.raises(NotFound):
            await read_result(client, "rpc-f", EXECUTION, path)
    assert source.asked == []


async def test_a_list_that_leaves_the_result_is_refused(nats_url: str) -> None:
    """The client trusts a node's paths no more than the node trusts the client's."""
    async with serving(nats_url, "rpc-g", HeldResults({"../../.profile": b"x"})) as client:
        with pytest.raises(LotaError, match="leaves the result"):
            await list_result(client, "rpc-g", EXECUTION)


async def test_what_is_not_there_is_not_found(nats_url: str) -> None:
    """A node's NotFound arrives as one, with what it said."""
    async with serving(nats_url, "rpc-h", HeldResults({})) as client:
        with pytest.raises(NotFound, match="no execution other-0-0"):
            await list_result(client, "rpc-h", "other-0-0")


async def test_a_failing_disk_is_no_silence(nats_url: str) -> None:
    """The node says that it failed, so that nobody waits for the time-out."""
    async with serving(nats_url, "rpc-i", HeldResults({"broken": b""})) as client:
        with pytest.raises(LotaError, match="Input/output"):
            await read_result(client, "rpc-i", EXECUTION, "broken")


async def test_garbage_is_answered_and_survived(nats_url: str) -> None:
    """A request that does not decode gets an error, and the next one an answer."""
    async with serving(nats_url, "rpc-j", HeldResults({"stdout": b"x"})) as client:
        answer = await client.request("lota.rpc.rpc-j", b"{", timeout=5)
        assert (answer.headers or {})["Lota-Error"] == "failed"
        assert (await read_result(client, "rpc-j", EXECUTION, "stdout")).data == b"x"


async def test_a_node_that_is_away_is_named(nats_url: str) -> None:
    """Asking a node that does not run fails at once and says which it was."""
    client = await connect(nats_url, name="rpc-test")
    with pytest.raises(NodeSilent, match="nobody-here"):
        await list_result(client, "nobody-here", EXECUTION)
    await client.close()


def test_ordinary_paths_are_safe() -> None:
    """Names with dots and spaces, and folders, are paths of a result."""
    assert all(map(is_safe, ["stdout", "outputs/a b..c", "outputs/.hidden", "outputs/"]))


async def test_a_block_comes_by_its_cid(nats_url: str) -> None:
    """A block of a result is asked for by its CID alone, and one that it lacks is not found."""
    source = HeldResults({})
    cid = node_cid_bytes(b"links")
    source.blocks[cid] = b"links"
    async with serving(nats_url, "rpc-k", source) as client:
        assert await read_block(client, "rpc-k", EXECUTION, cid) == b"links"
        with pytest.raises(NotFound):
            await read_block(client, "rpc-k", EXECUTION, node_cid_bytes(b"others"))


async def test_a_busy_node_is_asked_again(nats_url: str) -> None:
    """A node that has to make its blocks first is waited for, and is no silent one."""
    source = HeldResults({})
    cid = node_cid_bytes(b"links")
    source.blocks[cid], source.busy = b"links", 1
    async with serving(nats_url, "rpc-l", source) as client:
        assert await read_block(client, "rpc-l", EXECUTION, cid) == b"links"


class SlowBlocks(HeldResults):
    """A node whose blocks do not come before they are let go."""

    def __init__(self) -> None:
        super().__init__({"stdout": b"x"})
        self.waiting = asyncio.Event()
        self.go = asyncio.Event()

    async def block(self, execution: str, cid: bytes) -> bytes:
        self.waiting.set()
        await self.go.wait()
        return b"late"


async def test_a_slow_answer_holds_up_no_other(nats_url: str) -> None:
    """While one request waits for a disk, the next one is answered."""
    source = SlowBlocks()
    async with serving(nats_url, "rpc-m", source) as client:
        block = asyncio.ensure_future(read_block(client, "rpc-m", EXECUTION, node_cid_bytes(b"")))
        await source.waiting.wait()
        assert (await read_result(client, "rpc-m", EXECUTION, "stdout")).data == b"x"
        source.go.set()
        assert await block == b"late"
