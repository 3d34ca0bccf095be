"""Finding one's way in blocks: everything that was packed is found, nothing forged is followed."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.cid import DAG_PB, RAW, node_cid_bytes, raw_cid_bytes, read_varint, varint
from events.dagpb import Link, block, decode, link
from events.errors import ContentError
from events.hamt import hamt, shard_data, slot
from events.unixfs import (
    CHUNK_SIZE_BYTES,
    MAX_DEPTH,
    Entry,
    FileLayout,
    directory,
    file,
)
from events.unixfs_reader import Place, below, file_size_bytes, find
from tests.events.blocks import Blocks
from tests.golden.unixfs import GoldenTree, golden_trees

LEAF = raw_cid_bytes(b"x")
FOLDER = b"\x08\x01"
TREES = [tree for tree in golden_trees() if tree.name != "hamt-6000"]


def all_places(blocks: Blocks, root: Place) -> Iterator[Place]:
    pending = [root]
    while pending:
        place = pending.pop()
        yield place
        if not place.leaf:
            pending.extend(below(place, blocks.by_cid[place.cid]))


def folder_of(names: set[bytes]) -> tuple[Blocks, Place]:
    blocks = Blocks()
    made = hamt([(name, raw_cid_bytes(name), len(name)) for name in sorted(names)], blocks)
    return blocks, Place(made.cid, dag_size_bytes=made.dag_size_bytes)


def looked_up(blocks: Blocks, root: Place, name: bytes) -> Place | None:
    found: Place | None = root
    while found is not None:
        found = find(found, blocks.by_cid[found.cid], name)
        if found is not None and found.entry:
            return found
    return None


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.name)
def test_every_file_is_found_by_its_path(tree: GoldenTree) -> None:
    """The path, offset and size that a walk gives for each leaf are those of the file's bytes."""
    blocks = Blocks()
    contents = {path.encode(): data for path, data in tree.files.items() if data is not None}
    flat = directory(
        (Entry(path.replace(b"/", b"|"), *file(data, blocks)) for path, data in contents.items()),
        blocks,
    )
    read = dict.fromkeys(contents, b"")
    places = [place for place in all_places(blocks, Place(flat.cid)) if place.leaf]
    for place in sorted(places, key=lambda place: place.offset):
        path = place.path.replace(b"|", b"/")
        assert place.offset == len(read[path])
        assert place.dag_size_bytes == len(blocks.by_cid[place.cid])
        read[path] += blocks.by_cid[place.cid]
    assert read == contents


@settings(deadline=None, max_examples=25)
@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=600))
def test_a_name_is_found_in_a_hamt_by_the_shards_on_its_way(numbers: set[int]) -> None:
    """Each name is found, with its CID and size, and one that is not there is not."""
    names = {b"%d" % number for number in numbers}
    blocks, root = folder_of(names)
    for name in names:
        place = looked_up(blocks, root, name)
        assert place is not None
        assert place[:3] == (raw_cid_bytes(name), name, len(name))
    assert looked_up(blocks, root, b"nothing") is None


def test_a_file_has_no_names_below_it() -> None:
    """A path that goes on behind a file leads nowhere."""
    blocks = Blocks()
    made = file(bytes(CHUNK_SIZE_BYTES + 1), blocks)
    assert find(Place(made.cid), blocks.by_cid[made.cid], b"x") is None


def test_a_block_says_the_size_of_its_file() -> None:
    """The uppermost block of a file knows how long it is, and a folder's is no file's."""
    blocks = Blocks()
    made = file(bytes(CHUNK_SIZE_BYTES + 7), blocks)
    assert file_size_bytes(blocks.by_cid[made.cid]) == CHUNK_SIZE_BYTES + 7
    folder = directory([Entry(b"a", LEAF, 1)], blocks)
    assert file_size_bytes(blocks.by_cid[folder.cid]) is None


def test_decoding_is_the_inverse_of_encoding() -> None:
    """Links and data come back from a block as they went in."""
    links = [Link(b"", LEAF, 1), Link(b"\xff" * 200, LEAF, 1 << 40)]
    assert decode(block([link(*one) for one in links], b"data")) == (links, b"data")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_block_or_an_error(data: bytes) -> None:
    """Whatever a stranger sends, the answer is a block or a `ContentError`."""
    for read in (decode, file_size_bytes, lambda block: below(Place(LEAF), block)):
        with suppress(ContentError):
            read(data)


@given(st.integers(0, 2**20), st.binary(min_size=1, max_size=4))
def test_a_damaged_block_is_an_error_or_still_adds_up(at: int, damage: bytes) -> None:
    """Bytes changed anywhere in a node never raise anything but `ContentError`."""
    blocks = Blocks()
    made = file(bytes(3 * CHUNK_SIZE_BYTES), blocks)
    good = blocks.by_cid[made.cid]
    at %= len(good)
    bad = good[:at] + damage + good[at + len(damage) :]
    try:
        places = below(Place(made.cid, size_bytes=3 * CHUNK_SIZE_BYTES, level=1), bad)
    except ContentError:
        return
    assert sum(place.size_bytes or 0 for place in places) == 3 * CHUNK_SIZE_BYTES


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc/passwd", b"a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(name: bytes) -> None:
    """A forged folder cannot make a reader write outside of its own."""
    with pytest.raises(ContentError, match=r"no file name|out of order"):
        below(Place(LEAF), block([link(name, LEAF, 1)], FOLDER))


@pytest.mark.parametrize("names", [[b"b", b"a"], [b"a", b"a"]])
def test_names_out_of_order_or_twice_are_refused(names: list[bytes]) -> None:
    """A folder has each name once, in the one order."""
    with pytest.raises(ContentError, match="out of order"):
        below(Place(LEAF), block([link(name, LEAF, 1) for name in names], FOLDER))


def test_a_chunk_larger_than_the_profile_allows_is_refused() -> None:
    """No reader is made to fetch a leaf that does not fit its memory."""
    with pytest.raises(ContentError, match="chunk of"):
        below(Place(LEAF), block([link(b"a", LEAF, CHUNK_SIZE_BYTES + 1)], FOLDER))


def test_sizes_that_do_not_add_up_are_refused() -> None:
    """A tree cannot be larger than what was said of it above."""
    made = block([link(b"a", LEAF, 1)], FOLDER)
    assert below(Place(LEAF, dag_size_bytes=len(made) + 1), made)
    with pytest.raises(ContentError, match="with all below"):
        below(Place(LEAF, dag_size_bytes=len(made)), made)


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\x02\x18\x02\x20\x01",  # two bytes, of which one is there
        b"\x08\x02\x18\x01",  # a part without a size
        b"\x08\x02\x18\x00\x20\x00",  # a part of nothing
        b"\x08\x02\x18\x01\x20\x01\x20\x01",  # more sizes than parts
        b"\x08\x02\x12\x01x\x18\x01",  # bytes in the node itself
        b"\x08\x04",  # a symlink
        b"\x08\x01\x18\x01",  # a folder with a size
    ],
)
def test_nodes_that_no_tool_of_the_profile_makes_are_refused(data: bytes) -> None:
    """What cannot have come from our packing is an error rather than a guess."""
    with pytest.raises(ContentError):
        below(Place(LEAF), block([link(b"", LEAF, 1)], data))


def test_a_shard_must_be_what_its_bitfield_says() -> None:
    """Entries in the wrong slots, out of order or uncounted are refused."""
    good = [link(b"01a", LEAF, 1), link(b"02b", LEAF, 1)]
    assert len(below(Place(LEAF), block(good, shard_data(6)))) == 2
    for links, bits in ((good, 2), (good[::-1], 6), ([link(b"0", LEAF, 1)], 1)):
        with pytest.raises(ContentError):
            below(Place(LEAF), block(links, shard_data(bits)))


def test_shards_are_no_deeper_than_a_hash() -> None:
    """A chain of shards that leads on and on ends in an error."""
    child = block([], shard_data(0))
    shard = block([link(b"00", node_cid_bytes(child), len(child))], shard_data(1))
    assert below(Place(LEAF, level=7), shard)
    with pytest.raises(ContentError, match="deeper than a hash"):
        below(Place(LEAF, level=8), shard)


def test_folders_are_no_deeper_than_the_limit() -> None:
    """A tree that would exhaust whoever walks it is refused, the deepest one allowed is not."""
    folder = block([link(b"a", LEAF, 1)], FOLDER)
    assert below(Place(LEAF, depth=MAX_DEPTH), folder)
    with pytest.raises(ContentError, match="folders deep"):
        below(Place(LEAF, depth=MAX_DEPTH + 1), folder)


def test_files_are_no_deeper_than_sizes_are_long() -> None:
    """A chain of nodes of one part each ends in an error."""
    part = block([link(b"", LEAF, 1)], b"\x08\x02\x18\x01\x20\x01")
    assert below(Place(LEAF, level=5, size_bytes=1), part)
    with pytest.raises(ContentError, match="levels"):
        below(Place(LEAF, level=6, size_bytes=1), part)


def test_a_file_holds_no_folder_and_a_folder_no_loose_part() -> None:
    """A block of one kind cannot stand where the tree needs the other."""
    with pytest.raises(ContentError, match="folder within a file"):
        below(Place(LEAF, level=1, size_bytes=1), block([], FOLDER))
    part = block([link(b"", LEAF, 1)], b"\x08\x02\x18\x01\x20\x01")
    with pytest.raises(ContentError):
        below(Place(LEAF, level=1), part)  # a shard is expected


@given(st.integers(0, 2**63 - 1))
def test_a_number_is_read_as_it_was_written(value: int) -> None:
    """Reading a varint gives the number and the place behind it."""
    written = varint(value)
    assert read_varint(b"x" + written + b"y", 1) == (value, 1 + len(written))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 20])
def test_a_number_that_is_cut_off_or_absurd_is_an_error(data: bytes) -> None:
    """No reader goes on behind the end, and none builds a number without a bound."""
    with pytest.raises(ContentError):
        read_varint(data, 0)


def test_slots_are_the_bytes_of_the_hash() -> None:
    """Each level places a name by the next byte of its hash."""
    assert [slot(b"hello", level) for level in range(3)] == [0xCB, 0xD8, 0xA7]


def test_codecs_are_told_apart() -> None:
    """A leaf is known by its CID alone."""
    layout = FileLayout()
    layout.add(b"x")
    assert Place(layout.finish().cid).leaf
    assert not Place(directory(()).cid).leaf
    assert (LEAF[1], directory(()).cid[1]) == (RAW, DAG_PB)
