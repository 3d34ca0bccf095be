"""Folders of any number of entries have the one node that their names and contents give."""

import os

import pytest

from events.cid import raw_cid_bytes
from events.hamt import hamt
from events.unixfs import Entry, directory
from publishers.folder_entries import FLAT_MAX, FolderEntries
from tests.events.blocks import Blocks

LEAF = raw_cid_bytes(b"x")


def entries(count: int) -> list[Entry]:
    return [Entry(b"%d" % index, LEAF, index) for index in range(count)]


@pytest.mark.parametrize("count", [0, 1, 3000, FLAT_MAX, FLAT_MAX + 1, 90_000])
def test_the_node_is_that_of_all_entries_at_once(count: int) -> None:
    """One block, a HAMT from memory and one by way of the disk are what the pure function makes."""
    collected = FolderEntries()
    for entry in entries(count):
        collected.add(entry)
    given, expected = Blocks(), Blocks()
    assert collected.directory(given) == directory(entries(count), expected)
    assert list(given.by_cid) == list(expected.by_cid)


def test_no_folder_of_more_entries_is_one_block() -> None:
    """Above the limit a folder is a HAMT, however short its names are."""
    names = [os.urandom(2).replace(b"/", b"-").replace(b"\0", b"-") for _ in range(3 * FLAT_MAX)]
    shortest = [Entry(name, LEAF, 0) for name in sorted({*names} - {b".."})][: FLAT_MAX + 1]
    assert len(shortest) == FLAT_MAX + 1
    assert directory(shortest) == hamt(shortest)
