"""The skeleton of a result that was hashed before, without hashing it again.

Who hashes a finished result for its claim keeps the skeleton of a large one beside it, as
`skeleton.car` beside the folder. It is a cache, which a crash or a disk may have damaged and which
lies within reach of other programs. So it is only read to be built anew: every block is made again
from what lies below it, by the functions that make it when a result is hashed. What comes out is,
byte for byte, what hashing gives for the CID, or nothing.

It says nothing of the files: whoever uses their CIDs checks what is read from them.
"""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from events.cid import cid_bytes
from events.dagpb import Node, Sink
from events.errors import ContentError, NotFound
from events.unixfs import CHUNK_SIZE_BYTES, Entry, FileLayout
from events.unixfs_reader import Place, below, file_size_bytes
from publishers.folder_entries import FolderEntries
from publishers.skeleton import BuiltSkeleton, Skeleton
from publishers.sorted_places import SortedPlaces
from publishers.tree_walk import Tree

SKELETON = "skeleton.car"

_BYTES = memoryview(bytes(CHUNK_SIZE_BYTES))
"""In place of a leaf's bytes, of which only the length is known, and asked for."""


def known_skeleton(result: Path, cid: str) -> BuiltSkeleton | None:
    """Return the skeleton of the result `cid` from what is kept beside it; blocks.

    None when nothing is, or nothing of use. Raises `PublishError` for the disk of temporary files.
    """
    try:
        with closing(Skeleton.open(result.with_name(SKELETON))) as kept:
            built = BuiltSkeleton(partial(_walk, kept, cid))
    except (OSError, ContentError, NotFound):
        return None
    if built.cid == cid:
        return built
    built.close()
    return None


class _Folder:
    """A folder on the way from the root; `pending` is what is still to do."""

    __slots__ = ("done", "name", "pending")

    def __init__(self, kept: Skeleton, place: Place, block: bytes) -> None:
        self.name = _name(place)
        self.pending = _entries(kept, place, block)
        self.done = FolderEntries()


def _walk(kept: Skeleton, cid: str, sink: Sink) -> Tree:
    """Give the blocks of the tree in the order in which hashing the result gives them."""
    files = 0
    root = Place(cid_bytes(cid))
    stack = [_Folder(kept, root, kept.node(root.cid))]
    while True:
        folder = stack[-1]
        place = next(folder.pending, None)
        if place is None:
            made = folder.done.directory(sink)
            stack.pop()
            if not stack:
                return Tree.of(made, files)
            stack[-1].done.add(Entry(folder.name, *made))
            continue
        block = b"" if place.leaf else kept.node(place.cid)
        if not place.leaf and file_size_bytes(block) is None:
            stack.append(_Folder(kept, place, block))
            continue
        files += 1
        folder.done.add(Entry(_name(place), *_file(kept, place, block, sink)))


def _entries(kept: Skeleton, folder: Place, block: bytes) -> Iterator[Place]:
    """Give the entries of one folder by name."""
    first = below(folder, block)
    if all(place.entry for place in first):
        yield from first  # `below` refuses any other order
        return
    with closing(SortedPlaces(folder)) as places:
        shards = [first]
        while shards:
            here = shards.pop()
            places.add(place for place in here if place.entry)
            shards += [below(one, kept.node(one.cid)) for one in here if not one.entry]
        yield from places


def _file(kept: Skeleton, place: Place, block: bytes, sink: Sink) -> Node:
    if place.leaf:
        size_bytes = place.dag_size_bytes or 0
        sink(place.cid, _BYTES[:size_bytes])
        return Node(place.cid, size_bytes)
    layout = FileLayout(sink)
    stack = [iter(below(place, block))]
    while stack:
        part = next(stack[-1], None)
        if part is None:
            stack.pop()
        elif part.leaf:
            layout.add_hashed(part.cid, _BYTES[: part.size_bytes])
        else:
            stack.append(iter(below(part, kept.node(part.cid))))
    return layout.finish()


def _name(place: Place) -> bytes:
    return place.path.rpartition(b"/")[2]
