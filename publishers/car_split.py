"""Walking a tree in the order of a CAR, and where to cut it into pieces.

The order is depth first, each block before those below it. A piece begins with the root and the
other blocks on the way to its first new one, so that every piece is a tree of its own that hangs
together. The cuts are those of carbites' TreewalkCarSplitter, which clients of web3.storage use:
before a block that would bring the piece's blocks, without their frames, to the target. Blocks
that stand in a tree twice are twice in its CAR.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from events.unixfs_reader import Place, below
from publishers.car_blocks import HEADER_BYTES, section_bytes

ReadNode = Callable[[bytes], bytes]
"""Returns the block of a CID in 36 bytes, verified."""

Cursor = tuple[tuple[Place, int], ...]
"""The blocks between the root and a place, and which of the places below each comes next."""


class Step(NamedTuple):
    """A place on the walk; `block` is None for a leaf, which is yet to be read."""

    place: Place
    block: bytes | None

    @property
    def size_bytes(self) -> int:
        """Return the size of the block."""
        return len(self.block) if self.block is not None else self.place.dag_size_bytes or 0


class _Frame:
    __slots__ = ("block", "next", "place", "places")

    def __init__(self, place: Place, block: bytes) -> None:
        self.place = place
        self.block = block
        self.places = below(place, block)
        self.next = 0


class Walk:
    """All blocks of a tree, from a cursor on; holds the blocks between the root and the present."""

    def __init__(self, root: Place, read_node: ReadNode, cursor: Cursor = ()) -> None:
        self._read = read_node
        self._root: Place | None = None if cursor else root
        self._frames: list[_Frame] = []
        for place, following in cursor:
            frame = _Frame(place, read_node(place.cid))
            frame.next = following
            self._frames.append(frame)

    def ancestors(self) -> list[Step]:
        """Return the blocks between the root and where the walk stands."""
        return [Step(frame.place, frame.block) for frame in self._frames]

    def cursor(self) -> Cursor:
        """Return what a new walk needs to begin where this one stands."""
        return tuple((frame.place, frame.next) for frame in self._frames)

    def peek(self) -> Step | None:
        """Return the next step without taking it; None at the end."""
        if self._root is not None:
            return self._step(self._root)
        while self._frames:
            frame = self._frames[-1]
            if frame.next < len(frame.places):
                return self._step(frame.places[frame.next])
            self._frames.pop()
        return None

    def take(self, step: Step) -> None:
        """Move behind the step that `peek` has returned."""
        if self._root is not None:
            self._root = None
        else:
            self._frames[-1].next += 1
        if step.block is not None:
            self._frames.append(_Frame(step.place, step.block))

    def _step(self, place: Place) -> Step:
        return Step(place, None if place.leaf else self._read(place.cid))


class Cut(NamedTuple):
    """A piece as it is planned: where it begins, how many new blocks it has, its size as a CAR.

    `blocks` of None are all to the end.
    """

    cursor: Cursor
    blocks: int | None
    size_bytes: int


def cuts(root: Place, read_node: ReadNode, piece_bytes: int) -> Iterator[Cut]:
    """Plan the pieces of a tree, one after the other, without reading a leaf."""
    walk = Walk(root, read_node)
    cursor: Cursor = ()
    blocks = blocks_bytes = 0
    size_bytes = HEADER_BYTES
    while (step := walk.peek()) is not None:
        if blocks_bytes and blocks_bytes + step.size_bytes >= piece_bytes:
            yield Cut(cursor, blocks, size_bytes)
            cursor, blocks = walk.cursor(), 0
            sizes = [ancestor.size_bytes for ancestor in walk.ancestors()]
            blocks_bytes = sum(sizes)
            size_bytes = HEADER_BYTES + sum(map(section_bytes, sizes))
        walk.take(step)
        blocks += 1
        blocks_bytes += step.size_bytes
        size_bytes += section_bytes(step.size_bytes)
    yield Cut(cursor, blocks, size_bytes)


def steps(root: Place, read_node: ReadNode, cut: Cut) -> Iterator[Step]:
    """Give the blocks of a piece: those on the way to it, then its own."""
    walk = Walk(root, read_node, cut.cursor)
    yield from walk.ancestors()
    blocks = 0
    while blocks != cut.blocks and (step := walk.peek()) is not None:
        yield step
        walk.take(step)
        blocks += 1
