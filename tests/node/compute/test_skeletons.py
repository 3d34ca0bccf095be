"""The blocks that a node gives out of the results it holds."""

import asyncio
import os
from pathlib import Path

import pytest

from events.cid import cid_bytes, node_cid_bytes
from events.errors import NodeSilent, NotFound
from events.unixfs_reader import Place, below
from node.compute.skeletons import KEPT_FROM_BYTES, HeldSkeletons, claimed
from publishers.known_skeleton import SKELETON
from publishers.port import SmallResult
from publishers.unixfs import tree_cid


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A result folder that is large enough for its skeleton to be kept."""
    folder = tmp_path / "job-0-0" / "result"
    folder.parent.mkdir()
    SmallResult(b"out", b"", 0).write_to(folder)
    (folder / "outputs" / "big").write_bytes(os.urandom(KEPT_FROM_BYTES))
    return folder


async def test_a_large_result_keeps_its_skeleton(result: Path) -> None:
    """The claim is the tree's, and the blocks lie beside the result from then on."""
    root = await asyncio.to_thread(claimed, result)
    assert root.cid == tree_cid(result).cid
    assert {path.name for path in result.parent.iterdir()} == {"result", SKELETON}
    (result / "outputs" / "big").unlink()
    held = HeldSkeletons()
    block = await held.block(result, cid_bytes(root.cid))
    names = {os.path.basename(place.path) for place in below(Place(cid_bytes(root.cid)), block)}
    assert names == {b"stdout", b"stderr", b"exit_code", b"outputs"}


async def test_a_missing_skeleton_is_made_anew(result: Path) -> None:
    """A node that has none yet, or a damaged one, makes it once it is asked."""
    cid = cid_bytes(tree_cid(result).cid)
    held = HeldSkeletons()
    first = await held.block(result, cid)
    place = result.with_name(SKELETON)
    assert node_cid_bytes(first) == cid
    place.write_bytes(place.read_bytes()[:100])
    assert await held.block(result, cid) == first
    with pytest.raises(NotFound):
        await held.block(result, node_cid_bytes(b"another"))


async def test_a_crash_while_writing_leaves_no_trace(result: Path) -> None:
    """What a process that died has left half written is written again, and never read."""
    part = result.with_name(f"{SKELETON}.part")
    part.write_bytes(b"half")
    root = await asyncio.to_thread(claimed, result)
    assert not part.exists()
    assert await HeldSkeletons().block(result, cid_bytes(root.cid))


async def test_a_result_that_cannot_keep_one_is_claimed(result: Path) -> None:
    """A skeleton that cannot be written costs no claim."""
    result.with_name(f"{SKELETON}.part").mkdir()
    root = await asyncio.to_thread(claimed, result)
    assert root.cid == tree_cid(result).cid


async def test_who_asks_too_early_is_told_so(result: Path) -> None:
    """While results are being hashed, one more that is asked for is put off and then there."""
    cid = cid_bytes(tree_cid(result).cid)
    held = HeldSkeletons(patience_s=0)
    with pytest.raises(NodeSilent, match="being indexed"):
        await held.block(result, cid)
    await held.settled()
    assert await held.block(result, cid)
