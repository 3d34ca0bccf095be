"""Hashing a tree in two threads: the same root and the same order of blocks as one thread gives."""

import os
from pathlib import Path

import pytest

from events.errors import ContentError
from events.unixfs import CHUNK_SIZE_BYTES, Entry, directory, file
from publishers.tree_walk import RUN_FILES_MAX
from publishers.unixfs import tree_cid

LONG_BYTES = 5 * CHUNK_SIZE_BYTES // 2


class Order:
    """Writes down which blocks come, and in which order."""

    def __init__(self) -> None:
        self.blocks: list[tuple[bytes, bytes]] = []

    def add(self, cid: bytes, block: bytes | memoryview) -> None:
        self.blocks.append((cid, bytes(block)))


def make_files(folder: Path, sizes_bytes: list[int]) -> dict[bytes, bytes]:
    """Fill a folder with files of random bytes, and return them by name, in order."""
    files = {b"%03d" % number: os.urandom(size) for number, size in enumerate(sizes_bytes)}
    for name, data in files.items():
        (folder / os.fsdecode(name)).write_bytes(data)
    return files


@pytest.mark.parametrize(
    "sizes_bytes",
    [
        [40_000] * (3 * RUN_FILES_MAX + 5),
        [900_000] * (2 * RUN_FILES_MAX),
        [40_000] * (2 * RUN_FILES_MAX - 2) + [LONG_BYTES, 40_000],
        [LONG_BYTES] * (RUN_FILES_MAX + 5),
        [40_000] * RUN_FILES_MAX + [0, 1, 65_535, 65_536, 65_537, CHUNK_SIZE_BYTES] * 2,
        [100] * (2 * RUN_FILES_MAX) + [70_000] * (2 * RUN_FILES_MAX) + [100] * RUN_FILES_MAX,
    ],
    ids=["medium", "more-than-is-held", "one-long", "long", "borders", "small-and-medium"],
)
def test_two_threads_give_what_one_gives(sizes_bytes: list[int], tmp_path: Path) -> None:
    """Blocks come in the order of names and have the root that the same bytes have in memory."""
    files = make_files(tmp_path, sizes_bytes)
    expected = Order()
    root = directory([Entry(name, *file(data, expected.add)) for name, data in files.items()])
    found = Order()

    tree = tree_cid(tmp_path, sink=found.add)

    assert [cid for cid, _ in found.blocks[:-1]] == [cid for cid, _ in expected.blocks]
    assert found.blocks[:-1] == expected.blocks
    assert found.blocks[-1][0] == root.cid
    assert (tree.dag_size_bytes, tree.files) == (root.dag_size_bytes, len(sizes_bytes))


def test_folders_between_files_keep_their_place(tmp_path: Path) -> None:
    """A folder ends a run of files, and what lies in it counts where it stands."""
    inner = [100_000] * (RUN_FILES_MAX + 7)
    (tmp_path / "005x").mkdir()
    make_files(tmp_path, inner)
    below = make_files(tmp_path / "005x", inner)
    above = {name: (tmp_path / os.fsdecode(name)).read_bytes() for name in below}
    folder = directory([Entry(name, *file(data)) for name, data in below.items()])
    entries = [Entry(name, *file(data)) for name, data in above.items()]

    root = directory([*entries, Entry(b"005x", *folder)])
    found = Order()
    tree = tree_cid(tmp_path, sink=found.add)

    assert found.blocks[-1][0] == root.cid
    assert tree.files == 2 * len(inner)


@pytest.mark.parametrize("place", [1, RUN_FILES_MAX - 1])
def test_a_file_that_goes_meanwhile_is_named(place: int, tmp_path: Path) -> None:
    """Whichever thread comes to a file that is gone, the error says which one it was."""
    make_files(tmp_path, [100_000] * (2 * RUN_FILES_MAX))
    gone = tmp_path / f"{RUN_FILES_MAX + place:03}"

    def remove(_cid: bytes, _block: bytes | memoryview) -> None:
        gone.unlink(missing_ok=True)

    with pytest.raises(ContentError, match=f"{gone.name} cannot be read: No such file"):
        tree_cid(tmp_path, sink=remove)


def test_what_a_sink_raises_ends_the_walk(tmp_path: Path) -> None:
    """An error of the sink goes on to the caller while the other thread is reading."""
    make_files(tmp_path, [100_000] * (2 * RUN_FILES_MAX))
    left = RUN_FILES_MAX + 2

    def stop(_cid: bytes, _block: bytes | memoryview) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        tree_cid(tmp_path, sink=stop)
