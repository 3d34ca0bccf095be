"""Blocks of published results: made once, kept when they were work to make."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.cid import cid_bytes, node_cid
from events.errors import NotFound
from node.web.blocks import OPEN_MAX, ResultBlocks
from publishers.kept_skeletons import KEPT_FOLDER, KEPT_FROM_BYTES
from publishers.local import LocalPublisher
from publishers.port import SmallResult, Workplace
from publishers.skeleton import Skeleton
from publishers.unixfs import tree_cid

SMALL = SmallResult(b"out\n", b"", 0)


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    """A publish root with a result that is large enough for the publisher to keep its blocks."""
    result, root = tmp_path / "result", tmp_path / "root"
    SMALL.write_to(result)
    (result / "outputs" / "sparse").touch()
    os.truncate(result / "outputs" / "sparse", 2 * KEPT_FROM_BYTES)
    publisher = LocalPublisher(str(root), {}, Workplace(tmp_path / "workplace"))
    await publisher.publish(result, "job/0", cid=tree_cid(result).cid)
    await publisher.close()
    return root


@pytest.fixture
async def blocks(root: Path) -> AsyncIterator[ResultBlocks]:
    opened = ResultBlocks(root)
    yield opened
    opened.close()


async def test_kept_blocks_are_read_and_replaced_when_they_are_wrong(root: Path) -> None:
    """What the publisher kept is given out, and made anew when it is damaged or another's."""
    tree = tree_cid(root / "job" / "0")
    kept = root / KEPT_FOLDER / "job" / "0.car"
    whole = kept.read_bytes()
    contents = [whole, b"", whole[:100], whole[:-50], whole.replace(b"sparse", b"forged")]
    other = Skeleton.build(SMALL)
    other.write(root / "other")
    for content in [*contents, (root / "other").read_bytes()]:
        kept.write_bytes(content)
        blocks = ResultBlocks(root)
        block = await blocks.node("job/0", cid_bytes(tree.cid))
        assert node_cid(block) == tree.cid
        blocks.close()
    other.close()


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
