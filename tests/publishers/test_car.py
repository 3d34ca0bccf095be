"""CAR files: byte-equal to another implementation's, readable back, never of another root."""

import json
import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from events.cid import cid_bytes, cid_text, raw_cid_bytes
from events.errors import ContentError, PublishError
from events.unixfs import CHUNK_SIZE_BYTES
from publishers.car import CarPlan, read_car, write_car
from publishers.car_blocks import header, section
from publishers.port import SmallResult
from publishers.unixfs import result_cid, tree_cid
from tests.golden.unixfs import GoldenTree, golden_trees

GOLDEN = Path(__file__).parents[1] / "golden" / "unixfs-golden.json"
SMALL = SmallResult(b"hello\n", b"", 0)
SMALL_CID = result_cid(b"hello\n", b"", 0).cid
LEAF = raw_cid_bytes(b"x")
A_CAR = header(LEAF) + section(LEAF, 1) + b"x"


def golden_pieces() -> list[Any]:
    cases = []
    for golden in json.loads(GOLDEN.read_text(encoding="utf-8"))["trees"]:
        (tree,) = (tree for tree in golden_trees() if tree.name == golden["name"])
        for size_bytes, pieces in golden.get("car_pieces", {}).items():
            expected = {(piece["bytes"], piece["sha256"]) for piece in pieces}
            name = f"{tree.name}-{size_bytes}"
            cases.append(pytest.param(tree, int(size_bytes), expected, id=name))
    return cases


def blocks_of(*cars: bytes) -> list[tuple[bytes, bytes]]:
    return [block for car in cars for block in read_car(BytesIO(car))]


@pytest.mark.parametrize(("tree", "piece_bytes", "expected"), golden_pieces())
def test_pieces_are_those_of_the_services_own_client(
    tree: GoldenTree, piece_bytes: int, expected: set[tuple[int, str]], tmp_path: Path
) -> None:
    """Every piece that web3.storage's client sent is among ours, byte by byte."""
    tree.write_to(tmp_path)
    plan = CarPlan(tmp_path, tree.cid)
    pieces = [b"".join(piece.chunks()) for piece in plan.pieces(piece_bytes)]
    plan.close()
    assert {(len(piece), sha256(piece).hexdigest()) for piece in pieces} >= expected
    # Of pieces of one length the fixture holds only one.
    assert {len(piece) for piece in pieces} == {size for size, _ in expected}


@pytest.mark.parametrize("piece_bytes", [1, 1000, CHUNK_SIZE_BYTES, 3 * CHUNK_SIZE_BYTES])
def test_every_piece_hangs_together(piece_bytes: int, tmp_path: Path) -> None:
    """Each piece begins with the root, and together the pieces hold the blocks of the whole."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "big").write_bytes(os.urandom(3 * CHUNK_SIZE_BYTES + 5))
    for index in range(40):
        (tmp_path / "folder" / f"{index}").write_bytes(os.urandom(index * 10))
    plan = CarPlan(tmp_path, None)
    pieces = list(plan.pieces(piece_bytes))
    cars = [b"".join(piece.chunks()) for piece in pieces]
    assert [piece.size_bytes for piece in pieces] == [len(car) for car in cars]
    assert {read_car(BytesIO(car)).root for car in cars} == {cid_bytes(plan.root.cid)}
    assert {blocks_of(car)[0][0] for car in cars} == {cid_bytes(plan.root.cid)}
    assert set(blocks_of(*cars)) == set(blocks_of(b"".join(plan.chunks())))
    plan.close()


def test_a_piece_can_be_sent_again(tmp_path: Path) -> None:
    """Asking a piece for its bytes twice, in any order of pieces, gives the same bytes."""
    (tmp_path / "big").write_bytes(os.urandom(3 * CHUNK_SIZE_BYTES))
    plan = CarPlan(tmp_path, None)
    first, second, *_ = plan.pieces(2 * CHUNK_SIZE_BYTES)
    later = b"".join(second.chunks())
    assert b"".join(first.chunks()) == b"".join(first.chunks()) != later
    assert b"".join(second.chunks()) == later
    plan.close()


@pytest.mark.parametrize("tree", golden_trees(), ids=lambda tree: tree.name)
def test_one_pass_and_a_plan_hold_the_same_blocks(tree: GoldenTree, tmp_path: Path) -> None:
    """Both CARs have the golden root and equal blocks, and the plan has told its size."""
    tree.write_to(tmp_path)
    written = BytesIO()
    root = write_car(tmp_path, written)
    plan = CarPlan(tmp_path, tree.cid)
    planned = b"".join(plan.chunks())
    plan.close()
    assert plan.root == root == (tree.cid, tree.dag_size_bytes)
    assert len(planned) == plan.size_bytes
    assert read_car(BytesIO(written.getvalue())).root == cid_bytes(tree.cid)
    assert sorted(blocks_of(planned)) == sorted(blocks_of(written.getvalue()))


def test_a_small_result_packs_as_its_folder_does(tmp_path: Path) -> None:
    """A result from memory and the same in a folder are one CAR."""
    SMALL.write_to(tmp_path / "result")
    cars = []
    for result in (SMALL, tmp_path / "result"):
        plan = CarPlan(result, SMALL_CID)
        cars.append(b"".join(plan.chunks()))
        plan.close()
    assert cars[0] == cars[1]


def test_one_file_packs_as_its_leaf_or_its_node(tmp_path: Path) -> None:
    """A file that is packed alone is the root itself, be it one chunk or several."""
    place = tmp_path / "file"
    for size_bytes in (0, 5, CHUNK_SIZE_BYTES + 1):
        place.write_bytes(os.urandom(size_bytes))
        plan = CarPlan(place, tree_cid(place).cid)
        assert blocks_of(b"".join(plan.chunks()))[0][0] == cid_bytes(plan.root.cid)
        plan.close()


def test_a_result_that_is_another_is_not_planned() -> None:
    """What does not have the CID that was agreed on is refused before anything is sent."""
    with pytest.raises(PublishError) as caught:
        CarPlan(SMALL, result_cid(b"other", b"", 0).cid)
    assert (caught.value.code, caught.value.permanent) == ("wrong-cid", True)


def test_a_result_that_is_gone_or_has_no_address_is_told_apart(tmp_path: Path) -> None:
    """A missing folder and one with a symlink are errors that no repeat can mend."""
    with pytest.raises(PublishError) as gone:
        CarPlan(tmp_path / "gone", SMALL_CID)
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(PublishError, match="is a symlink") as bad:
        CarPlan(tmp_path, SMALL_CID)
    assert (gone.value.code, gone.value.permanent) == ("no-result", True)
    assert (bad.value.code, bad.value.permanent) == ("bad-result", True)


@pytest.mark.parametrize("change", ["other", "shorter", "gone", "link", "pipe"])
def test_a_file_that_changes_while_it_is_packed_is_noticed(change: str, tmp_path: Path) -> None:
    """Each leaf is checked again when it is read, so that no false block is sent."""
    place = tmp_path / "file"
    place.write_bytes(b"right")
    plan = CarPlan(tmp_path, None)
    place.unlink()
    if change in ("other", "shorter"):
        place.write_bytes(b"wrong" if change == "other" else b"righ")
    elif change == "link":
        (tmp_path / "elsewhere").write_bytes(b"right")
        place.symlink_to("elsewhere")
    elif change == "pipe":
        os.mkfifo(place)
    with pytest.raises(PublishError, match=r"file of the result .* changed") as caught:
        list(plan.chunks())
    plan.close()
    assert caught.value.code == "wrong-cid"


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    """Writing a CAR to a device without room says so, and does not blame the result."""
    (tmp_path / "file").write_bytes(bytes(CHUNK_SIZE_BYTES))
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(PublishError) as caught:
        write_car(tmp_path, full)
    assert (caught.value.code, caught.value.permanent) == ("disk-full", False)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no CAR"),
        (b"something else entirely", "no CAR"),
        (A_CAR[:40], "no CAR"),
        (b"\x0a\xa1\x67version\x02" + bytes(80), "version 2"),
        (A_CAR[:8] + b"\x80" + A_CAR[9:], "none or several roots"),
        (A_CAR[:8] + b"\x82" + A_CAR[9:], "none or several roots"),
        (A_CAR[:-1], "in the middle"),
        (A_CAR[:-10], "in the middle"),
        (A_CAR + b"\x80", "cut off"),
        (A_CAR[:-1] + b"y", "not what its CID"),
        (A_CAR + b"\x05hello", "with its CID"),
        (A_CAR + b"\xff\xff\xff\x7f", "with its CID"),
        (A_CAR + b"\x25" + bytes(37), "CID of another kind"),
    ],
)
def test_what_is_no_good_car_is_an_error(data: bytes, what: str) -> None:
    """A reader says what is wrong, and never returns a block that is not what its CID names."""
    with pytest.raises(ContentError, match=what):
        list(read_car(BytesIO(data)))


def test_the_golden_root_stands_in_the_header() -> None:
    """The header's bytes are those of the specification for one CIDv1 root."""
    expected = "3aa265726f6f747381d82a582500" + LEAF.hex() + "6776657273696f6e01"
    assert header(LEAF).hex() == expected
    assert read_car(BytesIO(A_CAR)).root == LEAF
    assert cid_text(LEAF).startswith("bafkrei")
