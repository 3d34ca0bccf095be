"""`lota car` writes what would be sent, whole or not at all, and finds what is wrong with it."""

import json
import os
import resource
from pathlib import Path

import pytest

from events.errors import (
    ContentError,
    InvalidInput,
    LotaError,
    NotFound,
    PublishError,
    WrongUsage,
)
from node.cli import exits
from node.cli.car import pack, verify
from node.cli.main import main
from publishers.unixfs import tree_cid

MIB = 1 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / os.fsdecode(b"\xff")).write_bytes(b"odd")
    (folder / "a" / "b" / "big").write_bytes(os.urandom(5 * MIB))
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "result.car"


def test_what_was_packed_is_printed_and_verifies(
    source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is root, size and file; the file is whole, and alone in its folder."""
    pack(source, out)
    cid = tree_cid(source).cid
    assert capsys.readouterr().out.split() == [cid, str(out.stat().st_size), str(out)]
    assert os.listdir(out.parent) == ["result.car"]
    verify(out)
    assert capsys.readouterr().out.startswith(f"{cid}  whole: 11 blocks")


def test_pieces_are_numbered_and_verify_together(
    source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each piece has the root and its number, and all of them are a whole tree in any order."""
    pack(source, out, piece_size="2MiB", output="json")
    rows = json.loads(capsys.readouterr().out)
    files = [Path(row["file"]) for row in rows]
    assert [file.name for file in files] == [f"result.{index}.car" for index in range(len(files))]
    assert {row["cid"] for row in rows} == {tree_cid(source).cid}
    assert [row["size_bytes"] for row in rows] == [file.stat().st_size for file in files]
    assert len(files) > 2
    assert sorted(os.listdir(out.parent)) == [file.name for file in files]
    verify(*reversed(files), output="json")
    assert json.loads(capsys.readouterr().out)["cid"] == tree_cid(source).cid


def test_a_missing_piece_is_told_by_its_blocks(
    source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one piece the blocks that it held are counted and named, and the exit code is 1."""
    pack(source, out, piece_size="2MiB", output="json")
    files = [row["file"] for row in json.loads(capsys.readouterr().out)]
    assert main(["car", "verify", *files[:1], *files[2:]]) == exits.FAILED
    said = capsys.readouterr()
    assert said.out == ""
    assert "1 of the blocks below" in said.err
    assert "bafkrei" in said.err


def test_the_same_file_is_packed_again(source: Path, out: Path) -> None:
    """A repeat gives the same file, and one of another content takes its place."""
    pack(source, out)
    first = out.read_bytes()
    pack(source, out)
    assert out.read_bytes() == first
    (source / "empty").write_bytes(b"no more")
    pack(source, out)
    assert out.read_bytes() != first


def test_pieces_of_another_time_are_not_mixed_in(source: Path, out: Path) -> None:
    """Old pieces are never left among new ones: the user is asked to take them away."""
    old = out.with_name("result.7.car")
    old.write_bytes(b"old")
    with pytest.raises(WrongUsage, match=r"result\.7\.car is there already"):
        pack(source, out, piece_size="2MiB")
    assert os.listdir(out.parent) == [old.name]


@pytest.mark.parametrize("piece_size", [None, "2MiB"])
def test_a_source_that_cannot_be_packed_leaves_nothing(
    source: Path, out: Path, piece_size: str | None
) -> None:
    """After an error there is no file, no part of one, and what was there stays."""
    out.write_bytes(b"before")
    (source / "zz").symlink_to("/etc")
    with pytest.raises(PublishError, match="zz is a symlink"):
        pack(source, out, piece_size=piece_size)
    assert os.listdir(out.parent) == [out.name]
    assert out.read_bytes() == b"before"


@pytest.mark.parametrize("inside", ["result.car", "a/b/result.car"])
def test_a_file_is_not_packed_into_itself(source: Path, inside: str) -> None:
    """An OUT within PATH is refused before anything is written."""
    with pytest.raises(WrongUsage, match="would be packed itself"):
        pack(source, source / inside)
    with pytest.raises(WrongUsage):
        pack(source / "empty", source / "empty")
    assert not (source / inside).exists()


def test_what_is_not_there_is_said(source: Path, out: Path) -> None:
    """A missing PATH, a missing folder of OUT and a missing CAR are told apart."""
    with pytest.raises(NotFound):
        pack(source / "nothing", out)
    with pytest.raises(LotaError, match="No such file"):
        pack(source, out.parent / "nowhere" / "x.car")
    with pytest.raises(InvalidInput, match="cannot be read"):
        verify(out)


@pytest.mark.parametrize("size", ["", "0", "many", "-1"])
def test_a_piece_has_a_size(source: Path, out: Path, size: str) -> None:
    """A size that means nothing is refused with an example."""
    with pytest.raises(WrongUsage, match="piece-size"):
        pack(source, out, piece_size=size)


def test_a_damaged_block_is_told_with_its_file(source: Path, out: Path) -> None:
    """A changed byte names the file, where in it, and the CID that it broke."""
    pack(source, out)
    data = bytearray(out.read_bytes())
    data[-1] ^= 1
    out.write_bytes(data)
    with pytest.raises(
        ContentError, match=r"result\.car: the block at \d+ is not what its CID baf"
    ):
        verify(out)


def test_files_of_two_trees_are_not_taken_for_one(source: Path, out: Path) -> None:
    """Roots that differ are an error, even if every block is right."""
    pack(source, out)
    (source / "empty").write_bytes(b"other")
    pack(source, out.with_name("other.car"))
    with pytest.raises(ContentError, match="has the root"):
        verify(out, out.with_name("other.car"))


def test_one_file_can_be_packed(source: Path, out: Path) -> None:
    """PATH may be a file: its own CID is the root."""
    pack(source / "a" / "b" / "big", out)
    verify(out)


@pytest.mark.parametrize("piece_size", [None, "4MiB"])
def test_a_disk_that_takes_no_more_leaves_nothing(
    source: Path, out: Path, piece_size: str | None
) -> None:
    """When the disk ends in the middle of a CAR, no file and no part of one is left."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * MIB, limits[1]))
    try:
        with pytest.raises(PublishError, match="cannot be used"):
            pack(source, out, piece_size=piece_size)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(out.parent) == []
