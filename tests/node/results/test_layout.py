"""Names in a merged tree, as a function of path and shard."""

from itertools import product

import pytest

from node.results.layout import laid_out, laid_out_folder

NAMES = [
    "a",
    "a.txt",
    ".a",
    "a.shard-1",
    "a.shard-1.txt",
    "a.shard-1.shard-2",
    "a.shard-1.shard-2.txt",
    ".shard-1",
    ".shard-1.shard-2",
    "shard-1",
    "a.",
    "a.shard-1.",
]


@pytest.mark.parametrize(
    ("path", "shared", "expected"),
    [
        ("outputs/a.txt", False, "outputs/a.txt"),
        ("outputs/a.txt", True, "outputs/a.shard-3.txt"),
        ("stdout", True, "stdout.shard-3"),
        (".hidden", True, ".hidden.shard-3"),
        ("a.shard-7.txt", False, "a.shard-7.shard-3.txt"),
        ("b.shard-7/x", False, "b.shard-3.shard-7/x"),
    ],
)
def test_a_shared_path_gets_its_shard(path: str, shared: bool, expected: str) -> None:
    """A file whose path others have, or whose name looks taken, has its shard in its name."""
    assert laid_out(path, 3, shared=shared) == expected


def test_no_two_files_get_one_name() -> None:
    """Whatever names files and folders have, and whoever shares them, no place is two."""
    places: dict[str, set[tuple[str, int]]] = {}
    for name, shard, shared in product(NAMES, range(1, 4), (False, True)):
        place = laid_out(name, shard, shared=shared)
        places.setdefault(place, set()).add((name, shard))
    for name, shard in product(NAMES, range(1, 4)):
        places.setdefault(laid_out_folder(name, shard), set()).add((name, shard))
    # A name that stays as it is belongs to all shards: there is but one of it, or one folder.
    clashes = {
        place: found
        for place, found in places.items()
        if len({name for name, _ in found}) > 1
        or (len({shard for _, shard in found}) > 1 and found != {(place, n) for n in range(1, 4)})
    }
    assert clashes == {}
