"""Files and directories as blocks: equal to another implementation, and readable back."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.cid import cid_bytes, cid_text, raw_cid, raw_cid_bytes
from events.dagpb import Node
from events.errors import ContentError
from events.hamt import hamt
from events.murmur3 import murmur3_64
from events.unixfs import CHUNK_SIZE_BYTES, Entry, FileLayout, directory, file, job_root
from tests.events.blocks import Blocks
from tests.golden.unixfs import GoldenTree, golden_trees

FILE = raw_cid_bytes(b"x")
NAMES = st.sets(
    st.binary(min_size=1, max_size=12).filter(
        lambda name: b"/" not in name and b"\0" not in name and name not in {b".", b".."}
    ),
    max_size=40,
)


def build(files: dict[str, bytes | None], blocks: Blocks) -> Node:
    """Make a whole tree from memory."""
    below: dict[bytes, dict[str, bytes | None]] = {}
    entries = []
    for path, content in files.items():
        first, _, rest = path.partition("/")
        if content is None and not rest:
            below.setdefault(first.encode(), {})
        elif rest:
            below.setdefault(first.encode(), {})[rest] = content
        else:
            assert content is not None
            entries.append(Entry(first.encode(), *file(content, blocks)))
    entries += [Entry(name, *build(inner, blocks)) for name, inner in below.items()]
    return directory(entries, blocks)


@pytest.mark.parametrize("tree", golden_trees(), ids=lambda tree: tree.name)
def test_trees_have_the_root_that_another_implementation_gives(tree: GoldenTree) -> None:
    """Root and cumulative size equal those of ipfs-unixfs-importer with the same profile."""
    root = build(tree.files, Blocks())
    assert (cid_text(root.cid), root.dag_size_bytes) == (tree.cid, tree.dag_size_bytes)


@pytest.mark.parametrize("tree", golden_trees(), ids=lambda tree: tree.name)
def test_the_sink_gets_every_block_and_the_root_last(tree: GoldenTree) -> None:
    """What the sink was given holds the whole tree, and its sizes add up."""
    blocks = Blocks()
    root = build(tree.files, blocks)
    assert blocks.last == root.cid
    assert blocks.dag_size_bytes(root.cid) == root.dag_size_bytes


@given(NAMES, st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(names: set[bytes], chance: Random) -> None:
    """A directory is a set: any order of its entries gives the same node."""
    entries = [Entry(name, raw_cid_bytes(name), len(name)) for name in sorted(names)]
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert directory(shuffled) == directory(entries)


@given(NAMES)
def test_a_hamt_holds_the_entries_it_was_given(names: set[bytes]) -> None:
    """Reading the shards back gives every name with its CID, and sizes that add up."""
    blocks = Blocks()
    for name in names:
        blocks(raw_cid_bytes(name), name)
    root = hamt([(name, raw_cid_bytes(name), len(name)) for name in sorted(names)], blocks)
    assert blocks.names(root.cid) == {name: raw_cid_bytes(name) for name in names}
    assert blocks.dag_size_bytes(root.cid) == root.dag_size_bytes


@pytest.mark.parametrize(("last_name_bytes", "kind"), [(79, 1), (80, 1), (81, 5)])
def test_a_directory_becomes_a_hamt_above_256_kib(last_name_bytes: int, kind: int) -> None:
    """A block of exactly 256 KiB is still a plain directory, one byte more is not."""
    # A name of 20 bytes takes 64 in the block, one of 80 takes 124, the data field takes 4.
    entries = [Entry(b"%020d" % index, FILE, 1) for index in range(4094)]
    entries.append(Entry(b"z" * last_name_bytes, FILE, 1))
    blocks = Blocks()
    root = directory(entries, blocks)
    assert blocks.unixfs(root.cid)[1] == [kind]
    if kind == 1:
        assert len(blocks.by_cid[root.cid]) == 256 * 1024 + last_name_bytes - 80


def test_a_short_file_is_its_raw_leaf() -> None:
    """A file of up to one chunk has no node of its own."""
    assert file(b"hello") == Node(cid_bytes(raw_cid(b"hello")), 5)
    assert file(bytes(CHUNK_SIZE_BYTES)).cid == raw_cid_bytes(bytes(CHUNK_SIZE_BYTES))


def test_a_long_file_is_a_node_over_its_chunks() -> None:
    """The node names the file's size and each chunk's, and its chunks are its bytes in order."""
    data = bytes(CHUNK_SIZE_BYTES) + b"end"
    blocks = Blocks()
    root = file(data, blocks)
    assert blocks.unixfs(root.cid) == {1: [2], 3: [len(data)], 4: [CHUNK_SIZE_BYTES, 3]}
    assert blocks.content(root.cid) == data


@settings(max_examples=25, deadline=None)
@given(st.one_of(st.integers(1, 40), st.sampled_from([1024, 1025, 2048, 2049])))
def test_file_nodes_are_balanced_and_hold_all_chunks(chunks: int) -> None:
    """No node has more than 1,024 links, all leaves lie equally deep, none is out of order."""
    blocks = Blocks()
    layout = FileLayout(blocks)
    for index in range(chunks):
        layout.add(b"%d," % index)
    root = layout.finish()
    assert blocks.content(root.cid) == b"".join(b"%d," % index for index in range(chunks))
    assert blocks.dag_size_bytes(root.cid) == root.dag_size_bytes
    below = [link.cid for link in blocks.links(root.cid)]
    if chunks <= 1024:
        assert len(below) == (0 if chunks == 1 else chunks)
    else:
        sizes = [len(blocks.links(cid)) for cid in below]
        assert sizes == [1024] * (chunks // 1024) + [chunks % 1024] * (chunks % 1024 > 0)


def test_a_file_of_three_levels_stays_balanced() -> None:
    """One chunk more than 1,024 x 1,024 makes a third level, with one leaf in its last arm."""
    blocks = Blocks()
    layout = FileLayout(blocks)
    layout.add(b"x")
    leaf = layout._levels[0][0]
    arm = layout._join([leaf] * 1024)
    layout._levels = [[leaf] * 1024, [arm] * 1023]  # what 1,024 x 1,024 chunks leave behind
    layout.add(b"x")
    root = layout.finish()
    arms = [link.cid for link in blocks.links(root.cid)]
    assert [len(blocks.links(arm)) for arm in arms] == [1024, 1]
    assert blocks.unixfs(root.cid)[3] == [1024 * 1024 + 1]


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b"])
def test_names_that_no_folder_can_hold_are_refused(name: bytes) -> None:
    """A directory cannot be made to name its parent or a path."""
    with pytest.raises(ContentError):
        directory([Entry(name, FILE, 1)])


def test_a_name_given_twice_is_refused() -> None:
    """Two entries of one name would make a tree that no disk can hold."""
    with pytest.raises(ContentError, match="twice"):
        directory([Entry(b"a", FILE, 1), Entry(b"a", FILE, 1)])


def test_the_job_root_is_the_directory_of_its_shards() -> None:
    """Shard roots and sizes alone give the root that the folder of all shards has."""
    shards = [build({"stdout": b"%d" % index}, Blocks()) for index in range(12)]
    whole = build({f"{index}/stdout": b"%d" % index for index in range(12)}, Blocks())
    made = job_root((cid_text(shard.cid), shard.dag_size_bytes) for shard in shards)
    assert made == (cid_text(whole.cid), whole.dag_size_bytes)


def test_a_job_of_many_shards_has_a_root_with_all_of_them() -> None:
    """Ten thousand shards make a HAMT that names every one."""
    blocks = Blocks()
    made = job_root(((raw_cid(b"%d" % index), 1) for index in range(10_000)), blocks)
    names = blocks.names(cid_bytes(made.cid))
    assert names == {b"%d" % index: raw_cid_bytes(b"%d" % index) for index in range(10_000)}


def test_a_job_root_over_what_is_no_cid_is_refused() -> None:
    """A bad CID among the shards is an error, not a root that nobody can resolve."""
    with pytest.raises(ContentError):
        job_root([("nonsense", 1)])


@pytest.mark.parametrize(
    ("text", "first_half"),
    [
        (b"", 0),
        (b"hello", 0xCBD8A7B341BD9B02),
        (b"hello, world", 0x342FAC623A5EBC8E),
        (b"19 Jan 2038 at 3:14:07 AM", 0xB89E5988B737AFFC),
        (b"The quick brown fox jumps over the lazy dog.", 0xCD99481F9EE902C9),
    ],
)
def test_murmur3_gives_the_published_values(text: bytes, first_half: int) -> None:
    """The hash equals the reference implementation's on texts of every tail length class."""
    assert murmur3_64(text) == first_half
