"""Looking into a result that is larger than the disk at hand, as a user does.

The job has 100 shards of 1 GiB each. Their node is played by this process, which makes the bytes up
as they are asked for: a file of zeros, but for its shard's number somewhere inside.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.cid import cid_text, raw_cid_bytes, varint
from events.connection import connect
from events.dagpb import Node, link, node
from events.errors import NotFound
from events.items import Claim
from events.jetstream import open_blobs, open_log
from events.spec import JobSpec, Sharding
from events.unixfs import CHUNK_SIZE_BYTES, Entry, directory, file
from node.rpc import Chunk, serve_rpc
from tests.acceptance.conftest import Lota
from tests.lota_process import LOTA, Machine
from tests.node.cli.job_on_log import JobOnLog

SHARDS = 100
CHUNKS = 1024
MARKED = 700
MARK_AT = 12_345
FILE_BYTES = CHUNKS * CHUNK_SIZE_BYTES
MEMORY_BYTES_MAX = 100 * 10**6
DISK_BYTES_MAX = 100_000
SENT_BYTES_MAX = 16 * 10**6
ZEROS = bytes(CHUNK_SIZE_BYTES)

# What a process has peaked at counts its parent's memory at the fork, so a small one starts it.
MEASURED = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
sys.stderr.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def mark(shard: int) -> bytes:
    """Return what stands in a shard's large file, among zeros."""
    return b"this is shard %03d\n" % shard


class SparseNode:
    """Holds a result of 1 GiB for each shard, without a byte of it on a disk."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self._blocks: dict[bytes, bytes] = {}
        self._zeros = raw_cid_bytes(ZEROS)

    def claim(self, shard: int) -> Claim:
        """Make the blocks of a shard's result and return what is claimed of it."""
        small = {b"exit_code": b"0", b"stderr": b"", b"stdout": mark(shard)}
        outputs = directory([Entry(b"big.bin", *self._large_file(shard))], self._keep)
        entries = [Entry(name, *file(data)) for name, data in small.items()]
        top = directory([*entries, Entry(b"outputs", *outputs)], self._keep)
        return Claim(cid_text(top.cid), top.dag_size_bytes, 0)

    def _large_file(self, shard: int) -> Node:
        """Make the one node of a file whose chunks are zeros, but for one."""
        chunks = [self._zeros] * CHUNKS
        chunks[MARKED] = raw_cid_bytes(_chunk(shard, MARKED))
        links = [link(b"", cid, CHUNK_SIZE_BYTES) for cid in chunks]
        sizes = (b"\x20" + varint(CHUNK_SIZE_BYTES)) * CHUNKS
        data = b"\x08\x02\x18" + varint(FILE_BYTES) + sizes
        return node(links, data, FILE_BYTES, self._keep)

    def _keep(self, cid: bytes, block: bytes | memoryview) -> None:
        self._blocks[cid] = bytes(block)

    async def list(self, execution: str) -> list[tuple[str, int]]:
        raise NotFound("a finished result is read by its blocks")

    async def read(self, execution: str, path: str, offset: int, limit: int) -> Chunk:
        shard = int(execution.split("-")[-2])
        if path == "stdout":
            return Chunk(mark(shard)[offset : offset + limit], len(mark(shard)))
        index, start = divmod(offset, CHUNK_SIZE_BYTES)
        data = _chunk(shard, index)[start : start + limit]
        self.sent_bytes += len(data)
        return Chunk(data, FILE_BYTES)

    async def block(self, execution: str, cid: bytes) -> bytes:
        if cid not in self._blocks:
            raise NotFound("there is no such block")
        self.sent_bytes += len(self._blocks[cid])
        return self._blocks[cid]


def _chunk(shard: int, index: int) -> bytes:
    if index != MARKED:
        return ZEROS
    text = mark(shard)
    return ZEROS[:MARK_AT] + text + ZEROS[MARK_AT + len(text) :]


class Large:
    """The job, its node, and command lines whose memory and disk are measured."""

    def __init__(self, job: str, holder: SparseNode, machine: Machine, server: str) -> None:
        self.job = job
        self.holder = holder
        self._machine = machine
        self._server = server

    async def lota(self, *words: str) -> bytes:
        """Run a command line that must do; return what it prints on stdout."""
        return await asyncio.to_thread(self._lota, *words)

    def _lota(self, *words: str) -> bytes:
        ran = subprocess.run(
            [sys.executable, "-S", "-c", MEASURED, LOTA, *words, "--server", self._server],
            cwd=self._machine.empty,
            env=self._machine.environment,
            capture_output=True,
            check=True,
        )
        said = ran.stderr.decode()
        assert said.isdigit(), said
        assert int(said) * 1024 < MEMORY_BYTES_MAX
        on_disk = [path.stat().st_size for path in self._machine.folder.rglob("*")]
        assert sum(on_disk) < DISK_BYTES_MAX
        return ran.stdout


@pytest.fixture
async def large(nats_url: str, machine: Machine) -> AsyncIterator[Large]:
    holder = SparseNode()
    client = await connect(nats_url, name="test")
    log = await open_log(client)
    job = JobOnLog(log)
    await job.submit(
        await open_blobs(client), JobSpec(engine="noop", sharding=Sharding(count=SHARDS))
    )
    await job.run_all({shard: ("sparse", holder.claim(shard)) for shard in range(SHARDS)})
    stop = await serve_rpc(client, "sparse", holder)
    yield Large(job.id, holder, machine, nats_url)
    await stop()
    await log.close()
    await client.close()


async def test_a_hundred_gigabytes_are_looked_into(large: Large) -> None:
    """All files are listed and one is read with under 100 MB of memory, and next to no disk."""
    listed = await large.lota("result", "ls", large.job, "--recursive", "-o", "jsonl")
    rows = [json.loads(line) for line in listed.splitlines()]
    big = [row for row in rows if row["path"].endswith("outputs/big.bin")]
    assert len(big) == SHARDS
    assert sum(row["size_bytes"] for row in big) == SHARDS * FILE_BYTES
    assert large.holder.sent_bytes < SENT_BYTES_MAX
    assert await large.lota("result", "cat", f"{large.job}/42/stdout") == mark(42)


async def test_a_part_of_a_gigabyte_costs_a_chunk(large: Large) -> None:
    """Some bytes from the middle of a large file are fetched with the one chunk they are in."""
    place = f"{large.job}/77/outputs/big.bin"
    offset = str(MARKED * CHUNK_SIZE_BYTES + MARK_AT)
    printed = await large.lota("result", "cat", place, "--offset", offset, "--length", "18")
    assert printed == mark(77)
    assert large.holder.sent_bytes < 2 * CHUNK_SIZE_BYTES


async def test_a_gigabyte_goes_through_a_pipe(large: Large) -> None:
    """A whole file is checked and printed chunk by chunk, and memory does not grow with it."""
    place = f"{large.job}/3/outputs/big.bin"
    length = 64 * CHUNK_SIZE_BYTES
    start = str((MARKED - 40) * CHUNK_SIZE_BYTES)
    printed = await large.lota("result", "cat", place, "--offset", start, "--length", str(length))
    assert (len(printed), mark(3) in printed) == (length, True)


async def test_what_a_job_left_is_looked_into_and_fetched(lota: Lota, tmp_path: Path) -> None:
    """On a network as users have it, what a command wrote is listed, fetched and merged."""
    wrote = "head -c 20000000 /dev/zero > outputs/big; echo $LOTA_SHARD > outputs/own; echo done"
    assert (await lota("run", "--shards", "2", "--", "sh", "-c", wrote)).code == 0
    job = (await lota("job", "ls", "--quiet")).out.strip()
    assert (await lota("result", "ls", f"{job}/1/outputs")).out == "big\nown\n"
    assert (await lota("result", "cat", f"{job}/1/outputs/own")).out == "1\n"
    apart, merged = tmp_path / "apart", tmp_path / "merged"
    assert (await lota("job", "get", job, "--output", apart)).code == 0
    root = json.loads((await lota("job", "describe", job, "-o", "json")).out)["root_cid"]
    assert (await lota("cid", apart)).out.strip() == root
    glob = ("--glob", "outputs/own", "--merge", "append")
    assert (await lota("result", "get", job, *glob, "--output", merged)).code == 0
    assert (merged / "outputs" / "own").read_text() == "0\n1\n"
