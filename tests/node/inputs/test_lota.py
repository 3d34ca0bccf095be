"""Results of a job as inputs, read from a node that holds them, over a real server."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.connection import connect
from events.errors import ExecutorError, InvalidInput
from events.items import Claim, ListedFile
from events.jetstream import open_blobs, open_log
from events.spec import JobSpec
from node.inputs.lota import LotaSource
from node.rpc import serve_rpc
from publishers.unixfs import tree_cid
from tests.node.cli.job_on_log import JobOnLog
from tests.node.cli.result_sources import FolderSource

EVERYTHING = re.compile(".*", re.DOTALL)
BIG = bytes(range(256)) * 12_000


class Network:
    """A completed one-shard job, and the node that holds its result."""

    def __init__(self, job: str, source: LotaSource, folder: Path) -> None:
        self.job = job
        self.source = source
        self.folder = folder


@pytest.fixture
async def network(nats_url: str, tmp_path: Path) -> AsyncIterator[Network]:
    folder = tmp_path / "held"
    (folder / "outputs" / "sub").mkdir(parents=True)
    for name, data in {"stdout": b"hi\n", "stderr": b"", "exit_code": b"0"}.items():
        (folder / name).write_bytes(data)
    (folder / "outputs" / "sub" / "big").write_bytes(BIG)
    client = await connect(nats_url, name="test")
    log = await open_log(client)
    job = JobOnLog(log)
    await job.submit(await open_blobs(client), JobSpec(engine="noop"))
    await job.plan()
    holder = f"holder-{job.id}"
    await job.award(holder)
    tree = tree_cid(folder)
    await job.finish(holder, Claim(tree.cid, tree.dag_size_bytes, 0))
    stop = await serve_rpc(client, holder, FolderSource(folder))
    source = LotaSource(log, client, lambda _: {}, lambda _: None)
    yield Network(job.id, source, folder)
    await source.close()
    await stop()
    await log.close()
    await client.close()


async def test_a_shard_is_listed_by_cids(network: Network) -> None:
    """Each file is listed by its path, size and CID, which hashing it here gives too."""
    found = await network.source.list(f"lota://{network.job}/0/outputs", EVERYTHING)
    cid = tree_cid(network.folder / "outputs" / "sub" / "big").cid
    assert found.files == (ListedFile("sub/big", len(BIG), cid),)


async def test_a_file_is_staged_whole_and_read_only(network: Network, tmp_path: Path) -> None:
    """What is staged has the bytes of the result, and a repeat does no harm."""
    address = f"lota://{network.job}/0"
    found = await network.source.list(address, EVERYTHING)
    for _ in range(2):
        await network.source.stage(address, found.files, tmp_path / "in")
    assert (tmp_path / "in" / "outputs" / "sub" / "big").read_bytes() == BIG
    assert (tmp_path / "in" / "stdout").stat().st_mode & 0o222 == 0


async def test_a_file_that_is_not_the_listed_one_is_refused(
    network: Network, tmp_path: Path
) -> None:
    """A listing that names other bytes fails the execution, and stages nothing."""
    listed = ListedFile("stdout", 3, tree_cid(network.folder / "stderr").cid)
    with pytest.raises(ExecutorError) as caught:
        await network.source.stage(f"lota://{network.job}/0", [listed], tmp_path / "in")
    assert caught.value.code == "input_changed"
    assert not (tmp_path / "in" / "stdout").exists()


async def test_wrong_bytes_are_not_staged(network: Network, tmp_path: Path) -> None:
    """A holder whose file has changed is not believed, and the execution is tried elsewhere."""
    address = f"lota://{network.job}/0"
    found = await network.source.list(address, EVERYTHING)
    (network.folder / "stdout").write_bytes(b"no\n")
    with pytest.raises(ExecutorError) as caught:
        await network.source.stage(address, found.files, tmp_path / "in")
    assert caught.value.code == "input_unreadable"


async def test_a_job_that_is_not_completed_has_no_whole(network: Network) -> None:
    """The whole of a job is an input once it is completed; a shard that is accepted before."""
    with pytest.raises(InvalidInput, match="no whole result"):
        await network.source.list(f"lota://{network.job}", EVERYTHING)


async def test_the_start_of_an_id_becomes_the_id(network: Network) -> None:
    """Nodes are told the whole id of the job, whatever was typed."""
    typed = f"lota://{network.job[:20]}/0/outputs/a%20b"
    assert await network.source.canonical(typed) == f"lota://{network.job}/0/outputs/a%20b"
