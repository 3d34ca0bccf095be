"""Reading from copies: right bytes or an error, and no more of them than is needed."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.cid import cid_text, node_cid_bytes, raw_cid_bytes
from events.dagpb import block, link
from events.errors import NotFound, PublishError
from events.hamt import hamt, shard_data
from events.unixfs import (
    CHUNK_SIZE_BYTES,
    DIRECTORY_DATA,
    MAX_DEPTH,
    MAX_DIRECTORY_BLOCK_BYTES,
    Entry,
    directory,
)
from publishers import reading
from publishers.folder_copy import FolderCopy
from publishers.port import Copy, SmallResult
from publishers.unixfs import result_cid, tree_cid
from tests.events.blocks import Blocks
from tests.golden.unixfs import GoldenTree, golden_trees

BIG = os.urandom(7 * CHUNK_SIZE_BYTES + 100)


async def turn() -> None:
    """Let all else that is ready run."""
    loop = asyncio.get_running_loop()
    later = loop.create_future()
    loop.call_soon(later.set_result, None)
    await later


class Blockwise:
    """A copy over blocks in memory: it notes what is read, and may lie or fail."""

    def __init__(self, blocks: dict[bytes, bytes]) -> None:
        self.blocks = blocks
        self.nodes: list[bytes] = []
        self.leaves: list[tuple[str, int, int]] = []
        self.under_way = self.under_way_max = 0

    async def node(self, cid: bytes) -> bytes:
        self.nodes.append(cid)
        return self._block(cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        self.leaves.append((path, offset, size_bytes))
        self.under_way += 1
        self.under_way_max = max(self.under_way, self.under_way_max)
        await turn()
        self.under_way -= 1
        return self._block(cid)

    async def close(self) -> None:
        """Nothing is held."""

    def _block(self, cid: bytes) -> bytes:
        try:
            return self.blocks[cid]
        except KeyError:
            raise NotFound("no such block") from None


def blockwise(folder: Path) -> tuple[Blockwise, str]:
    blocks = Blocks()
    tree = tree_cid(folder, sink=blocks)
    return Blockwise(blocks.by_cid), tree.cid


async def everything(copy: Copy, cid: str, path: str, **span: int) -> bytes:
    return b"".join([chunk async for chunk in reading.fetch(copy, cid, path, **span)])


@pytest.fixture
def result(tmp_path: Path) -> Path:
    folder = tmp_path / "result"
    SmallResult(b"out\n", b"", 0).write_to(folder)
    (folder / "outputs" / "big").write_bytes(BIG)
    (folder / "outputs" / os.fsdecode(b"\xff name")).write_bytes(b"odd")
    (folder / "outputs" / "a").mkdir()
    (folder / "outputs" / "a" / "inner").write_bytes(b"i")
    (folder / "outputs" / "a.b").write_bytes(b"")
    return folder


@pytest.mark.parametrize("tree", golden_trees(), ids=lambda tree: tree.name)
async def test_all_of_a_tree_is_listed_and_read(tree: GoldenTree, tmp_path: Path) -> None:
    """The recursive listing names every file with its size, in order, and each can be read."""
    tree.write_to(tmp_path)
    copy, cid = blockwise(tmp_path)
    listed = [entry async for entry in reading.entries(copy, cid, recursive=True)]
    files = {entry.path: entry.size_bytes for entry in listed if entry.kind == "file"}
    assert files == {path: len(data) for path, data in tree.files.items() if data is not None}
    for path in list(files)[:20]:
        assert await everything(copy, cid, path) == tree.files[path]
    await reading.verify(copy, cid)


async def test_names_come_in_the_order_of_their_bytes(result: Path) -> None:
    """Every folder is listed by name, and a recursive listing has each folder before its own."""
    copy = FolderCopy(result)
    cid = tree_cid(result).cid
    top = [entry.path async for entry in reading.entries(copy, cid)]
    below = [entry.path async for entry in reading.entries(copy, cid, "outputs")]
    both = [entry.path async for entry in reading.entries(copy, cid, recursive=True)]
    await copy.close()
    odd = os.fsdecode(b"outputs/\xff name")
    assert top == ["exit_code", "outputs", "stderr", "stdout"]
    assert below == ["outputs/a", "outputs/a.b", "outputs/big", odd]
    assert both == [*top[:2], below[0], "outputs/a/inner", *below[1:], *top[2:]]


async def test_an_entry_says_what_it_is(result: Path) -> None:
    """Files have their own size and folders that of all their blocks, each under its CID."""
    copy, cid = blockwise(result)
    tree = tree_cid(result)
    outputs = tree_cid(result / "outputs")
    assert await reading.stat(copy, cid, "") == ("", "folder", tree.dag_size_bytes, tree.cid)
    assert await reading.stat(copy, cid, "outputs") == (
        "outputs", "folder", outputs.dag_size_bytes, outputs.cid,
    )  # fmt: skip
    big = await reading.stat(copy, cid, "outputs/big")
    assert big == ("outputs/big", "file", len(BIG), tree_cid(result / "outputs/big").cid)
    assert (await reading.stat(copy, cid, "outputs/a.b")).size_bytes == 0


@pytest.mark.parametrize(
    ("offset", "size_bytes", "leaves"),
    [
        (0, None, range(8)),
        (0, 1, [0]),
        (CHUNK_SIZE_BYTES - 1, 2, [0, 1]),
        (CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES, [1]),
        (3 * CHUNK_SIZE_BYTES + 5, 10, [3]),
        (7 * CHUNK_SIZE_BYTES + 99, 100, [7]),
        (len(BIG), 1, []),
        (len(BIG) + 10**12, None, []),
        (5, 0, []),
    ],
)
async def test_a_range_reads_only_the_chunks_that_hold_it(
    result: Path, offset: int, size_bytes: int | None, leaves: list[int]
) -> None:
    """The bytes are those of the range, and no leaf outside of it is asked for."""
    copy, cid = blockwise(result)
    stream = reading.fetch(copy, cid, "outputs/big", offset=offset, size_bytes=size_bytes)
    data = b"".join([chunk async for chunk in stream])
    end = len(BIG) if size_bytes is None else offset + size_bytes
    assert data == BIG[offset:end]
    assert sorted({offset // CHUNK_SIZE_BYTES for _, offset, _ in copy.leaves}) == list(leaves)
    assert len(copy.leaves) == len(list(leaves))


async def test_only_a_few_chunks_are_under_way(result: Path) -> None:
    """A reader that is slow is not overrun: nothing is fetched far ahead of it."""
    copy, cid = blockwise(result)
    stream = reading.fetch(copy, cid, "outputs/big")
    await anext(stream)
    assert 1 < len(copy.leaves) <= reading.AHEAD + 1
    assert copy.under_way_max > 1
    await stream.aclose()
    assert len(copy.leaves) <= reading.AHEAD + 1


@pytest.mark.parametrize(
    "path",
    ["nothing", "outputs/nothing", "stdout/x", "outputs/big/x", "/", "/etc/passwd", "../stdout",
     "outputs/../stdout", "./stdout", "outputs//big", "stdout/", "std\0out", "\ud800"],
)  # fmt: skip
async def test_what_is_not_in_the_tree_is_not_found(result: Path, path: str) -> None:
    """No spelling of a path leads to anything but what the folders name."""
    copy, cid = blockwise(result)
    with pytest.raises(NotFound):
        await everything(copy, cid, path)
    with pytest.raises(NotFound):
        await reading.stat(copy, cid, path)
    with pytest.raises(NotFound):
        _ = [entry async for entry in reading.entries(copy, cid, path)]


async def test_a_folder_is_not_fetched_and_a_file_not_listed(result: Path) -> None:
    """Each kind is read by its own call."""
    copy, cid = blockwise(result)
    for path in ("", "outputs"):
        with pytest.raises(NotFound, match="is a folder"):
            await everything(copy, cid, path)
    with pytest.raises(NotFound, match="is a file"):
        await anext(reading.entries(copy, cid, "stdout"))


async def test_a_block_that_is_another_is_found_out(result: Path) -> None:
    """A changed byte anywhere fails the reading of what it belongs to, and every verification."""
    good, cid = blockwise(result)
    for block_cid, data in good.blocks.items():
        if not data:
            continue  # nobody asks a copy for nothing
        forged = Blockwise(good.blocks | {block_cid: data[:-1] + bytes([data[-1] ^ 1])})
        with pytest.raises(PublishError) as caught:
            await reading.verify(forged, cid)
        assert (caught.value.code, caught.value.permanent) == ("tampered", True)
    leaf = raw_cid_bytes(BIG[:CHUNK_SIZE_BYTES])
    forged = Blockwise(good.blocks | {leaf: BIG[: CHUNK_SIZE_BYTES - 1]})
    with pytest.raises(PublishError, match="outputs/big is not what the CID"):
        await everything(forged, cid, "outputs/big")
    assert await everything(forged, cid, "stdout") == b"out\n"


async def test_a_block_that_is_missing_is_the_copys_failure(result: Path) -> None:
    """A hole in a copy is told from a path that the tree does not have."""
    good, cid = blockwise(result)
    for block_cid, data in good.blocks.items():
        if data:
            holed = Blockwise({key: good.blocks[key] for key in good.blocks if key != block_cid})
            with pytest.raises(PublishError) as caught:
                await reading.verify(holed, cid)
            assert caught.value.code == "missing"


async def test_a_tree_whose_sizes_lie_is_refused() -> None:
    """Right hashes do not help a forged tree that promises less than it holds."""
    blocks = Blocks()
    inner = directory([Entry(b"a", raw_cid_bytes(b"x" * 100), 100)], blocks)
    outer = directory([Entry(b"outputs", inner.cid, inner.dag_size_bytes - 50)], blocks)
    copy = Blockwise(blocks.by_cid)
    with pytest.raises(PublishError, match="with all below") as caught:
        await reading.stat(copy, cid_text(outer.cid), "outputs/a")
    assert caught.value.code == "tampered"


def many(count: int) -> Iterator[tuple[bytes, bytes, int]]:
    for index in range(count):
        yield b"%d" % index, raw_cid_bytes(b"%d" % index), len(b"%d" % index)


async def test_one_name_of_a_large_folder_reads_the_shards_on_its_way() -> None:
    """Among a hundred thousand names, one costs a handful of blocks."""
    blocks = Blocks()
    made = hamt(list(many(100_000)), blocks)
    copy = Blockwise(blocks.by_cid)
    assert (await reading.stat(copy, cid_text(made.cid), "77777")).size_bytes == 5
    assert len(copy.nodes) <= 4


async def test_a_large_folder_is_listed_in_order() -> None:
    """Names that stand by their hashes come by their bytes, also when memory is too small."""
    blocks = Blocks()
    made = hamt(list(many(100_000)), blocks)
    copy = Blockwise(blocks.by_cid)
    names = [entry.path async for entry in reading.entries(copy, cid_text(made.cid))]
    assert names == sorted(str(index) for index in range(100_000))


async def test_a_name_that_stands_twice_in_a_large_folder_is_refused() -> None:
    """Two shards that both hold a name would be two files at one place."""
    leaf = link(b"00x", raw_cid_bytes(b"x"), 1)
    shard = block([leaf], shard_data(1))
    shards = [link(slot, node_cid_bytes(shard), len(shard) + 1) for slot in (b"00", b"01")]
    root = block(shards, shard_data(3))
    copy = Blockwise({node_cid_bytes(made): made for made in (shard, root)})
    with pytest.raises(PublishError, match="x stands twice"):
        _ = [entry async for entry in reading.entries(copy, cid_text(node_cid_bytes(root)))]


async def test_a_listing_that_is_given_up_stops_reading(result: Path) -> None:
    """A reader that leaves in the middle leaves nothing under way."""
    copy, cid = blockwise(result)
    names = reading.entries(copy, cid, recursive=True)
    await anext(names)
    await names.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_small_result_is_a_copy() -> None:
    """What was never a folder is listed and read as one."""
    result = SmallResult(b"out", b"err", 7)
    copy = FolderCopy(result)
    cid = result_cid(b"out", b"err", 7).cid
    assert await everything(copy, cid, "stdout") == b"out"
    assert await everything(copy, cid, "exit_code") == b"7"
    assert [entry async for entry in reading.entries(copy, cid, "outputs")] == []
    await reading.verify(copy, cid)
    await copy.close()


async def test_a_folder_that_changed_is_no_copy(result: Path) -> None:
    """A copy over a folder that is no longer the result has other blocks."""
    cid = tree_cid(result).cid
    (result / "stdout").write_bytes(b"forged")
    copy = FolderCopy(result)
    with pytest.raises(PublishError):
        await everything(copy, cid, "stdout")
    await copy.close()


async def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """Reading a result that was removed is the copy's failure."""
    copy = FolderCopy(tmp_path / "gone")
    with pytest.raises(PublishError) as caught:
        await reading.stat(copy, result_cid(b"", b"", 0).cid, "stdout")
    assert caught.value.code == "no-result"
    await copy.close()


async def test_one_chunk_is_no_result() -> None:
    """A CID that names bytes instead of a folder cannot be listed."""
    with pytest.raises(NotFound, match="not a result"):
        await reading.stat(Blockwise({}), cid_text(raw_cid_bytes(b"x")), "")


async def test_the_deepest_tree_there_can_be_is_read(tmp_path: Path) -> None:
    """Folders nested to the limit are listed, and what lies in the last one is fetched."""
    deepest = tmp_path.joinpath(*["d"] * MAX_DEPTH)
    deepest.mkdir(parents=True)
    (deepest / "file").write_bytes(b"down here")
    copy, cid = blockwise(tmp_path)
    path = "d/" * MAX_DEPTH + "file"
    assert await everything(copy, cid, path) == b"down here"
    listed = [entry.path async for entry in reading.entries(copy, cid, recursive=True)]
    assert len(listed) == MAX_DEPTH + 1
    assert listed[-1] == path
    await reading.verify(copy, cid)


@pytest.mark.parametrize("over", [0, 1])
async def test_a_block_as_large_as_a_folder_can_be_is_read_and_no_larger(over: int) -> None:
    """The largest flat folder is listed; a block of one byte more is not even looked at."""
    # A name of 20 bytes takes 64 in the block, the data field takes 4.
    links = [link(b"%020d" % index, raw_cid_bytes(b"x"), 1) for index in range(4094)]
    links.append(link(b"z" * (80 + over), raw_cid_bytes(b"x"), 1))
    folder = block(links, DIRECTORY_DATA)
    assert len(folder) == MAX_DIRECTORY_BLOCK_BYTES + over
    cid = node_cid_bytes(folder)
    listing = reading.entries(Blockwise({cid: folder}), cid_text(cid))
    if over:
        with pytest.raises(PublishError, match="too large"):
            await anext(listing)
    else:
        assert len([entry async for entry in listing]) == 4095
