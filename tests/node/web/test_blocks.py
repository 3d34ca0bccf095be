"""Blocks of published results: made once, kept when they were work to make."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.cid import cid_bytes
from events.errors import NotFound
from node.web.blocks import KEPT_FROM_BYTES, OPEN_MAX, ResultBlocks
from publishers.port import SmallResult
from publishers.unixfs import tree_cid

SMALL = SmallResult(b"out\n", b"", 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A publish root with a result that is large enough to keep its blocks."""
    folder = tmp_path / "root" / "job" / "0"
    folder.parent.mkdir(parents=True)
    SMALL.write_to(folder)
    (folder / "outputs" / "sparse").touch()
    os.truncate(folder / "outputs" / "sparse", KEPT_FROM_BYTES)
    return tmp_path / "root"


@pytest.fixture
async def blocks(root: Path, tmp_path: Path) -> AsyncIterator[ResultBlocks]:
    opened = ResultBlocks(root, tmp_path / "kept")
    yield opened
    opened.close()


async def test_blocks_of_a_large_result_outlive_the_process(
    blocks: ResultBlocks, root: Path, tmp_path: Path
) -> None:
    """The next process finds them on the disk, and one that is damaged there is made again."""
    cid = cid_bytes(tree_cid(root / "job" / "0").cid)
    first = await blocks.node("job/0", cid)
    (kept,) = (tmp_path / "kept").iterdir()
    whole = kept.read_bytes()
    for content in (whole, b"", whole[:100]):
        kept.write_bytes(content)
        again = ResultBlocks(root, tmp_path / "kept")
        assert await again.node("job/0", cid) == first
        again.close()
        assert kept.read_bytes() == whole


async def test_many_readers_at_once_all_get_their_blocks(blocks: ResultBlocks, root: Path) -> None:
    """More results than are held open at one time are read side by side, each one its own."""
    keys = [f"many/{index}" for index in range(OPEN_MAX + 10)]
    (root / "many").mkdir()
    for key in keys:
        SmallResult(key.encode(), b"", 0).write_to(root / key)
    cids = [tree_cid(root / key).cid for key in keys]
    pairs = list(zip(keys, cids, strict=True)) * 2
    answers = await asyncio.gather(*(blocks.node(key, cid_bytes(cid)) for key, cid in pairs))
    assert len(set(answers)) == len(keys)


async def test_a_result_that_is_gone_is_not_found(blocks: ResultBlocks, root: Path) -> None:
    """What was read a moment ago is not given out when it has been removed."""
    cid = cid_bytes(tree_cid(root / "job" / "0").cid)
    await blocks.node("job/0", cid)
    (root / "job").rename(root / "elsewhere")
    with pytest.raises(NotFound):
        await blocks.node("job/0", cid)
