"""Hashing real folders and small results: the same roots, and refusals that name the place."""

import os
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.cid import cid_text
from events.errors import ContentError
from events.unixfs import CHUNK_SIZE_BYTES, MAX_DEPTH, file
from publishers.port import SmallResult
from publishers.unixfs import result_cid, tree_cid
from tests.events.blocks import Blocks
from tests.golden.unixfs import GoldenTree, golden_trees


@pytest.mark.parametrize("tree", golden_trees(), ids=lambda tree: tree.name)
def test_a_folder_has_the_root_that_another_implementation_gives(
    tree: GoldenTree, tmp_path: Path
) -> None:
    """Root, size and count of a folder on disk equal the golden tree's."""
    tree.write_to(tmp_path)
    files = sum(content is not None for content in tree.files.values())
    assert tree_cid(tmp_path) == (tree.cid, tree.dag_size_bytes, files)


@pytest.mark.parametrize("tree", golden_trees(), ids=lambda tree: tree.name)
def test_a_sink_does_not_change_the_root(tree: GoldenTree, tmp_path: Path) -> None:
    """Writing a tree's blocks and only hashing it give the same root, and the blocks hold it."""
    tree.write_to(tmp_path)
    blocks = Blocks()
    assert tree_cid(tmp_path, sink=blocks) == tree_cid(tmp_path)
    assert cid_text(blocks.last) == tree.cid
    assert blocks.dag_size_bytes(blocks.last) == tree.dag_size_bytes


@pytest.mark.parametrize(
    "size_bytes",
    [
        *(0, 1, 65_535, 65_536, 65_537, 131_071, 131_072),
        *(CHUNK_SIZE_BYTES + step for step in (-1, 0, 1)),
        *(2 * CHUNK_SIZE_BYTES + step for step in (-1, 0, 1)),
    ],
)
def test_a_file_on_disk_equals_the_same_bytes_in_memory(size_bytes: int, tmp_path: Path) -> None:
    """Reading in pieces never moves the borders of chunks."""
    data = os.urandom(size_bytes)
    (tmp_path / "file").write_bytes(data)
    expected = file(data)
    assert tree_cid(tmp_path / "file") == (cid_text(expected.cid), expected.dag_size_bytes, 1)


def test_modes_and_times_do_not_count(tmp_path: Path) -> None:
    """The same bytes under the same names are the same tree."""
    place = tmp_path / "file"
    place.write_bytes(b"x")
    before = tree_cid(tmp_path)
    place.chmod(0o700)
    os.utime(place, (1, 1))
    assert tree_cid(tmp_path) == before


def test_names_are_bytes(tmp_path: Path) -> None:
    """A name that is no UTF-8 has a content address like any other."""
    (tmp_path / os.fsdecode(b"\xff\xfe")).write_bytes(b"x")
    blocks = Blocks()
    tree_cid(tmp_path, sink=blocks)
    assert list(blocks.names(blocks.last)) == [b"\xff\xfe"]


def test_a_symlink_is_refused_by_name(tmp_path: Path) -> None:
    """A symlink below the root is an error that says where it is and what to do."""
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "link").symlink_to("/etc")
    with pytest.raises(ContentError, match=r"outputs/link is a symlink \(Put a copy"):
        tree_cid(tmp_path)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """A named pipe is an error, and nobody waits for its other end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ContentError, match="device, socket or pipe"):
        tree_cid(tmp_path)
    with pytest.raises(ContentError, match="neither a file nor a folder"):
        tree_cid(tmp_path / "pipe")


def test_a_socket_is_refused(tmp_path: Path) -> None:
    """A socket that a job left behind is an error."""
    with socket.socket(socket.AF_UNIX) as listener, tempfile.TemporaryDirectory() as short:
        listener.bind(f"{short}/socket")
        with pytest.raises(ContentError, match="device, socket or pipe"):
            tree_cid(short)


def test_a_root_that_is_a_symlink_is_followed(tmp_path: Path) -> None:
    """The caller chose the root, so a link to a folder is that folder, and to a file that file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"x")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file").symlink_to("real/file")
    assert tree_cid(tmp_path / "folder") == tree_cid(tmp_path / "real")
    assert tree_cid(tmp_path / "file") == tree_cid(tmp_path / "real" / "file")


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A missing path is a content error that names it."""
    with pytest.raises(ContentError, match="nowhere cannot be read: No such file"):
        tree_cid(tmp_path / "nowhere")


def test_a_tree_of_absurd_depth_is_refused(tmp_path: Path) -> None:
    """Folders nested beyond the limit are an error, those up to it are a tree."""
    deepest = tmp_path.joinpath(*["d"] * MAX_DEPTH)
    deepest.mkdir(parents=True)
    assert tree_cid(tmp_path).files == 0
    (deepest / "d").mkdir()
    with pytest.raises(ContentError, match="folders deep"):
        tree_cid(tmp_path)


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 255))
def test_a_small_result_has_the_cid_of_its_folder(
    stdout: bytes, stderr: bytes, exit_code: int
) -> None:
    """The CID computed from memory is that of the tree that the result is written as."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "result"
        SmallResult(stdout, stderr, exit_code).write_to(folder)
        assert tree_cid(folder)[:2] == result_cid(stdout, stderr, exit_code)


@pytest.mark.parametrize("stdout", [b"", b"x", bytes(CHUNK_SIZE_BYTES + 1)])
@pytest.mark.parametrize("exit_code", [0, 1, 137, -9])
def test_a_result_tree_is_what_the_design_says(
    stdout: bytes, exit_code: int, tmp_path: Path
) -> None:
    """The tree is stdout, stderr, exit_code in ASCII without a newline, and outputs, even empty."""
    (tmp_path / "outputs").mkdir()
    (tmp_path / "stdout").write_bytes(stdout)
    (tmp_path / "stderr").write_bytes(b"")
    (tmp_path / "exit_code").write_text(str(exit_code))
    assert tree_cid(tmp_path)[:2] == result_cid(stdout, b"", exit_code)
