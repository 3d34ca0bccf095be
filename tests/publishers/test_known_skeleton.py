"""A result's skeleton from what was kept of it, which is that of hashing it or nothing."""

import os
import shutil
from pathlib import Path

import pytest

from events.unixfs import CHUNK_SIZE_BYTES, MAX_LINKS
from node.compute.skeletons import keep_skeleton
from publishers.folder_entries import FLAT_MAX
from publishers.known_skeleton import SKELETON, known_skeleton
from publishers.skeleton import BuiltSkeleton, Skeleton


def make_tree(folder: Path) -> Path:
    """Make a result with folders, empty ones too, and files of several sizes and blocks."""
    result = folder / "result"
    (result / "outputs" / "empty").mkdir(parents=True)
    (result / "outputs" / "deep" / "er").mkdir(parents=True)
    (result / "stdout").touch()
    (result / "outputs" / "deep" / "er" / "one").write_bytes(b"1")
    (result / "outputs" / "same").write_bytes(b"1")
    (result / "outputs" / "chunk").write_bytes(bytes(CHUNK_SIZE_BYTES))
    (result / "outputs" / "chunks").write_bytes(os.urandom(2 * CHUNK_SIZE_BYTES + 5))
    Path(os.fsdecode(os.fsencode(result) + b"/outputs/\xff a")).write_bytes(b"odd")
    return result


def built(result: Path) -> BuiltSkeleton:
    """Hash a result and keep its skeleton, as for a claim."""
    skeleton = Skeleton.build(result)
    assert keep_skeleton(skeleton, result)
    return skeleton


def assert_same(known: BuiltSkeleton | None, hashed: BuiltSkeleton) -> None:
    assert known is not None
    try:
        assert b"".join(known.chunks()) == b"".join(hashed.chunks())
        assert known.root == hashed.root
        assert (known.files, known.car_size_bytes) == (hashed.files, hashed.car_size_bytes)
    finally:
        known.close()
        hashed.close()


def test_what_was_kept_gives_what_hashing_gives(tmp_path: Path) -> None:
    """Every byte of the skeleton, and every number beside it."""
    result = make_tree(tmp_path)
    hashed = built(result)

    assert_same(known_skeleton(result, hashed.cid), hashed)


def test_a_large_folder_is_known(tmp_path: Path) -> None:
    """The files of a folder of many blocks come by name, though the blocks have them by hash."""
    result = make_tree(tmp_path)
    for number in range(FLAT_MAX + 1):
        (result / "outputs" / f"{number}").touch()
    for number in range(5):
        os.truncate(result / "outputs" / f"{number}", (2 + number) * CHUNK_SIZE_BYTES)
    hashed = built(result)

    assert_same(known_skeleton(result, hashed.cid), hashed)


def test_a_file_of_several_levels_is_known(tmp_path: Path) -> None:
    """A file of more chunks than one block links to."""
    result = make_tree(tmp_path)
    os.truncate(result / "outputs" / "chunks", (MAX_LINKS + 2) * CHUNK_SIZE_BYTES + 1)
    hashed = built(result)

    assert_same(known_skeleton(result, hashed.cid), hashed)


def test_the_result_is_not_read(tmp_path: Path) -> None:
    """What is known is known without the files."""
    result = make_tree(tmp_path)
    hashed = built(result)
    shutil.rmtree(result)

    assert_same(known_skeleton(result, hashed.cid), hashed)


def test_damage_gives_the_same_or_nothing(tmp_path: Path) -> None:
    """Whatever byte of what was kept is another, nothing else comes of it."""
    result = make_tree(tmp_path)
    hashed = built(result)
    place = result.with_name(SKELETON)
    good = place.read_bytes()
    for at in range(0, len(good), 7):
        place.write_bytes(good[:at] + bytes([good[at] ^ 0x11]) + good[at + 1 :])
        found = known_skeleton(result, hashed.cid)
        if found is not None:
            assert b"".join(found.chunks()) == b"".join(hashed.chunks())
            found.close()
    hashed.close()


@pytest.mark.parametrize("cut", [0, 10, 100, -1])
def test_a_part_of_what_was_kept_is_nothing(tmp_path: Path, cut: int) -> None:
    """A file that a crash left short."""
    result = make_tree(tmp_path)
    hashed = built(result)
    place = result.with_name(SKELETON)
    place.write_bytes(place.read_bytes()[:cut])

    assert known_skeleton(result, hashed.cid) is None
    hashed.close()


def test_another_results_skeleton_is_nothing(tmp_path: Path) -> None:
    """What lies there may be of another result, or nothing lies there at all."""
    result = make_tree(tmp_path)
    hashed = built(result)
    (result / "stdout").write_bytes(b"other")
    other = Skeleton.build(result)

    assert known_skeleton(result, other.cid) is None
    result.with_name(SKELETON).unlink()
    assert known_skeleton(result, hashed.cid) is None
    hashed.close()
    other.close()


def test_what_goes_on_behind_its_end_is_not_read(tmp_path: Path) -> None:
    """A job may have made what lies there as long as a file system can count."""
    result = make_tree(tmp_path)
    hashed = built(result)
    os.truncate(result.with_name(SKELETON), 8 << 40)

    assert_same(known_skeleton(result, hashed.cid), hashed)


def test_a_pipe_is_nothing(tmp_path: Path) -> None:
    """Nobody waits for a writer of what a job may have put there."""
    result = make_tree(tmp_path)
    hashed = Skeleton.build(result)
    os.mkfifo(result.with_name(SKELETON))

    assert known_skeleton(result, hashed.cid) is None
    hashed.close()


def test_a_folder_is_nothing(tmp_path: Path) -> None:
    """What is no file costs no descriptor either."""
    result = make_tree(tmp_path)
    hashed = Skeleton.build(result)
    result.with_name(SKELETON).mkdir()
    free = os.dup(0)
    os.close(free)

    assert known_skeleton(result, hashed.cid) is None
    os.close(again := os.dup(0))
    assert again == free
    hashed.close()
