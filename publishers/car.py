"""CAR files of results: written in one pass, read back, planned for an upload.

For a file, `write_car` packs in one pass: children come first, and the root is known last. For a
service the root comes first and the size must be known before, as a `Content-Length` is sent ahead:
so `CarPlan` hashes the result, keeps its skeleton, and reads each leaf once more when it is sent.
"""

from collections.abc import Iterator
from typing import IO

from events.cid import cid_bytes, matches
from events.errors import NotFound, PublishError
from events.unixfs import Root
from events.unixfs_reader import Place
from publishers.car_blocks import HEADER_BYTES, Car, header, section
from publishers.car_split import Cut, Step, cuts, steps
from publishers.disk import disk_error
from publishers.port import Result
from publishers.result_blocks import pack, read_leaf
from publishers.skeleton import Skeleton

GATHERED_BYTES = 256 * 1024
"""Smaller blocks leave together, in chunks of at least this size."""


def write_car(result: Result, file: IO[bytes]) -> Root:
    """Write all blocks of a result as one CAR, children first; return its root. Blocks.

    `file` is empty and can be sought in. What it holds after an error is of no use. Memory is a
    chunk of 1 MiB. Raises `PublishError`, also for a disk that is full.
    """

    def sink(cid: bytes, block: bytes | memoryview) -> None:
        try:
            file.write(section(cid, len(block)))
            file.write(block)
        except OSError as error:  # not to be taken for one of reading the result
            raise disk_error(error, "the CAR file") from error

    try:
        file.write(bytes(HEADER_BYTES))
        tree = pack(result, sink)
        file.seek(0)
        file.write(header(cid_bytes(tree.cid)))
        file.flush()
    except OSError as error:
        raise disk_error(error, "the CAR file") from error
    return Root(tree.cid, tree.dag_size_bytes)


def read_car(file: IO[bytes]) -> Car:
    """Read a CAR block by block, each verified: an iterator of (CID in 36 bytes, bytes). Blocks.

    Its `root` is the file's one root. Raises `ContentError` as `Car` does.
    """
    return Car(file)


class Piece:
    """A CAR with the plan's root, the way to its blocks, and a part of all blocks.

    `size_bytes` is the whole file's. It holds no bytes: `chunks` can be asked for again, to send a
    piece once more, and the pieces of one plan can be sent at the same time.
    """

    def __init__(self, plan: "CarPlan", cut: Cut) -> None:
        self._plan = plan
        self._cut = cut
        self.size_bytes = cut.size_bytes

    def chunks(self) -> Iterator[bytes]:
        """Give the bytes of the piece in chunks of up to about 1 MiB. Blocks.

        Raises `PublishError` when the result is no longer what was planned.
        """
        return self._plan.chunks_of(self._cut)


class CarPlan:
    """The CAR, or the pieces of one, that a result will be sent as; blocks.

    It hashes the whole result. Raises `PublishError`: `wrong-cid` when it is not `cid`,
    `no-result` when it is gone, `bad-result` when it has no content address. `cid` of None plans
    whatever the result is. Memory does not grow with it; `close` gives the temporary file back.
    """

    def __init__(self, result: Result, cid: str | None) -> None:
        self._result = result
        self.skeleton = Skeleton.build(result)
        self.root = self.skeleton.root
        if cid is not None and self.root.cid != cid:
            self.skeleton.close()
            raise PublishError(
                "wrong-cid",
                f"the result has the CID {self.root.cid}, not {cid}",
                permanent=True,
                hint="It changed after it was hashed: let another execution publish",
            )
        self._place = Place(cid_bytes(self.root.cid), dag_size_bytes=self.root.dag_size_bytes)
        self.size_bytes = self.skeleton.car_size_bytes
        """The size of one CAR with all blocks."""

    def chunks(self) -> Iterator[bytes]:
        """Give the bytes of one CAR with all blocks, as a `Piece` does."""
        return self.chunks_of(Cut((), None, self.size_bytes))

    def pieces(self, piece_bytes: int) -> Iterator[Piece]:
        """Cut the tree into CARs whose blocks add up to less than `piece_bytes`, if that can be.

        A block that is larger, and the way to it, makes a larger piece.
        """
        for cut in cuts(self._place, self.skeleton.node, piece_bytes):
            yield Piece(self, cut)

    def chunks_of(self, cut: Cut) -> Iterator[bytes]:
        """Give the bytes of a piece; see `Piece.chunks`."""
        gathered = [header(self._place.cid)]
        gathered_bytes = HEADER_BYTES
        for step in steps(self._place, self.skeleton.node, cut):
            block = step.block if step.block is not None else self._leaf(step)
            gathered.append(section(step.place.cid, len(block)))
            gathered_bytes += len(block)
            if len(block) < GATHERED_BYTES:
                gathered.append(block)
            if gathered_bytes >= GATHERED_BYTES:
                yield b"".join(gathered)
                gathered, gathered_bytes = [], 0
            if len(block) >= GATHERED_BYTES:
                yield block  # not copied: that would take a third of the time of hashing it
        if gathered:
            yield b"".join(gathered)

    def close(self) -> None:
        """Give the temporary file back; safe to repeat."""
        self.skeleton.close()

    def _leaf(self, step: Step) -> bytes:
        place = step.place
        try:
            data = read_leaf(self._result, place.path, place.offset, step.size_bytes)
        except (NotFound, OSError) as error:
            raise self._changed(place) from error
        if not matches(place.cid, data):
            raise self._changed(place)
        return data

    def _changed(self, place: Place) -> PublishError:
        shown = place.path.decode("utf-8", "backslashreplace")
        return PublishError(
            "wrong-cid",
            f"{shown} of the result {self.root.cid} changed while it was packed",
            permanent=True,
            hint="Let another execution publish",
        )
