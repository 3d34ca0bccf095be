"""Skeletons: all nodes and no leaves, found in a file here or far away, the same bytes always."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from events.cid import DAG_PB, cid_bytes, node_cid_bytes
from events.dagpb import Sink
from events.errors import ContentError, NotFound, PublishError
from publishers.indexed_car import ENTRY_BYTES, HEADER_BYTES, INDEX_HEADER_BYTES
from publishers.port import SmallResult
from publishers.skeleton import IN_MEMORY_BYTES, Skeleton, StoredSkeleton
from publishers.unixfs import tree_cid
from tests.events.blocks import Blocks
from tests.golden.unixfs import GoldenTree, golden_trees

FOLDERS = 12_000


def nodes_of(folder: Path) -> dict[bytes, bytes]:
    blocks = Blocks()
    sink: Sink = blocks
    tree_cid(folder, sink=sink)
    return {cid: block for cid, block in blocks.by_cid.items() if cid[1] == DAG_PB}


class Remote:
    """A file that is read by ranges, and counts them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = 0
        self.bytes = 0

    async def read(self, offset: int, size_bytes: int) -> bytes:
        self.reads += 1
        answer = self.data[offset : offset + size_bytes]
        self.bytes += len(answer)
        return answer

    def skeleton(self) -> StoredSkeleton:
        return StoredSkeleton(self.read, len(self.data))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of more folders than one read should bring."""
    folder = tmp_path_factory.mktemp("large")
    for index in range(FOLDERS):
        place = folder / f"{index:05}"
        place.mkdir()
        (place / f"{index}").touch()
    return folder


@pytest.mark.parametrize("tree", golden_trees(), ids=lambda tree: tree.name)
async def test_a_skeleton_holds_every_node(tree: GoldenTree, tmp_path: Path) -> None:
    """As it was built, written and opened, or read from afar, it gives all nodes of the tree."""
    (tmp_path / "tree").mkdir()
    tree.write_to(tmp_path / "tree")
    with_all = nodes_of(tmp_path / "tree")
    built = Skeleton.build(tmp_path / "tree")
    built.write(tmp_path / "file")
    opened = Skeleton.open(tmp_path / "file")
    remote = Remote((tmp_path / "file").read_bytes())
    stored = remote.skeleton()
    for cid, block in with_all.items():
        assert built.node(cid) == opened.node(cid) == await stored.node(cid) == block
    assert built.root == (tree.cid, tree.dag_size_bytes)
    assert built.cid == opened.cid == tree.cid
    assert built.files == sum(content is not None for content in tree.files.values())
    assert remote.reads == 1
    built.close()
    opened.close()


def test_a_small_result_has_a_skeleton(tmp_path: Path) -> None:
    """A result from memory has the nodes of its folder."""
    result = SmallResult(b"x", b"", 1)
    result.write_to(tmp_path / "result")
    skeleton = Skeleton.build(result)
    assert all(skeleton.node(cid) == block for cid, block in nodes_of(tmp_path / "result").items())
    assert skeleton.files == 3


async def test_a_node_of_a_large_skeleton_is_found_by_few_reads(
    large: Path, tmp_path: Path
) -> None:
    """Of a skeleton of megabytes, one node costs some ten reads and a fraction of the bytes."""
    skeleton = Skeleton.build(large)
    skeleton.write(tmp_path / "file")
    data = (tmp_path / "file").read_bytes()
    assert len(data) > IN_MEMORY_BYTES
    cid = node_cid_bytes((block := nodes_of(large / "00777")).popitem()[1])
    assert not block
    remote = Remote(data)
    assert await remote.skeleton().node(cid) == skeleton.node(cid)
    assert remote.reads <= 8
    assert remote.bytes < len(data) / 2
    skeleton.close()


async def test_every_node_of_a_large_skeleton_is_found(large: Path, tmp_path: Path) -> None:
    """The guesses in the index miss no entry, neither in a file nor from afar."""
    built = Skeleton.build(large)
    built.write(tmp_path / "file")
    opened = Skeleton.open(tmp_path / "file")
    stored = Remote((tmp_path / "file").read_bytes()).skeleton()
    for cid, block in nodes_of(large).items():
        assert opened.node(cid) == block
        assert await stored.node(cid) == block
    built.close()
    opened.close()


def test_the_same_result_gives_the_same_bytes(large: Path, tmp_path: Path) -> None:
    """Two nodes that publish one result write one skeleton, byte by byte."""
    written = []
    for name in ("first", "second"):
        skeleton = Skeleton.build(large)
        skeleton.write(tmp_path / name)
        skeleton.close()
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]


def test_equal_folders_are_kept_once(tmp_path: Path) -> None:
    """A block that stands in a tree many times is in the file and its index once."""
    for index in range(100):
        (tmp_path / f"{index}").mkdir()
    Skeleton.build(tmp_path).write(tmp_path / "file")
    index_bytes = INDEX_HEADER_BYTES + 2 * ENTRY_BYTES
    root_bytes = max(map(len, nodes_of(tmp_path / "0").values())) + 100 * 50
    assert (tmp_path / "file").stat().st_size < HEADER_BYTES + root_bytes + index_bytes + 500


async def test_what_is_not_in_a_skeleton_is_not_found(large: Path, tmp_path: Path) -> None:
    """A block of another tree is not found, wherever its digest would stand."""
    built = Skeleton.build(large)
    built.write(tmp_path / "file")
    stored = Remote((tmp_path / "file").read_bytes()).skeleton()
    for index in range(50):
        cid = node_cid_bytes(b"%d" % index)
        with pytest.raises(NotFound):
            built.node(cid)
        with pytest.raises(NotFound):
            await stored.node(cid)
    built.close()


@pytest.mark.parametrize("cut", [0, 10, 50, 60, 200, -1, -19, -40])
def test_a_skeleton_that_is_cut_off_is_an_error(cut: int, tmp_path: Path) -> None:
    """A part of a file is refused when it is opened, not when it misleads."""
    (tmp_path / "tree").mkdir()
    golden_trees()[2].write_to(tmp_path / "tree")
    Skeleton.build(tmp_path / "tree").write(tmp_path / "file")
    (tmp_path / "file").write_bytes((tmp_path / "file").read_bytes()[:cut])
    with pytest.raises(ContentError):
        Skeleton.open(tmp_path / "file")


async def test_a_changed_byte_never_becomes_another_answer(tmp_path: Path) -> None:
    """Whatever byte of the file changes, a node is the right one or an error."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(b"x")
    skeleton = Skeleton.build(tmp_path / "tree")
    skeleton.write(tmp_path / "file")
    root = cid_bytes(skeleton.cid)
    good = (tmp_path / "file").read_bytes()
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :]
        (tmp_path / "bad").write_bytes(bad)
        with suppress(ContentError, NotFound):
            assert Skeleton.open(tmp_path / "bad").node(root) == skeleton.node(root)
        with suppress(PublishError, NotFound):
            await Remote(bad).skeleton().node(root)  # its reader verifies it


def test_writing_does_not_replace_what_is_there(tmp_path: Path) -> None:
    """Whoever writes a skeleton chooses a free name, and nothing is lost when it is not."""
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        Skeleton.build(SmallResult(b"", b"", 0)).write(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_large_skeleton_leaves_no_descriptor_open(large: Path) -> None:
    """Its temporary file is given back with it."""
    before = set(os.listdir("/proc/self/fd"))
    skeleton = Skeleton.build(large)
    skeleton.close()
    skeleton.close()
    assert set(os.listdir("/proc/self/fd")) <= before
