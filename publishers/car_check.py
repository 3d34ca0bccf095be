"""Checking that CAR files together hold a whole tree.

Memory is bounded by the links, not by the bytes: about 180 bytes a link, so that the CARs of a
million files, or of 1 TiB in one, take some 200 MB.
"""

from collections.abc import Iterator
from typing import IO

from events.cid import CID_SIZE_BYTES, DAG_PB, cid_text
from events.dagpb import decode
from events.errors import ContentError
from publishers.car import read_car


class CarCheck:
    """Takes CAR files one after the other; blocks."""

    def __init__(self) -> None:
        self.root = b""
        self.bytes = 0
        """All bytes of blocks, repeated ones as well."""
        self._children: dict[bytes, bytes] = {}
        self._leaves: set[bytes] = set()

    @property
    def blocks(self) -> int:
        """How many different blocks there are."""
        return len(self._children) + len(self._leaves)

    def add(self, file: IO[bytes]) -> Iterator[int]:
        """Read a CAR and check each block against its CID; yield the sizes of the blocks.

        Raises `ContentError` for what is wrong with it: see `Car`; a block that is none of ours;
        another root than that of the files before.
        """
        car = read_car(file)
        if self.root and car.root != self.root:
            raise ContentError(
                f"it has the root {cid_text(car.root)}, others have {cid_text(self.root)}",
                hint="Check the files of one tree at a time",
            )
        self.root = car.root
        for cid, block in car:
            if cid[1] == DAG_PB:
                links, _ = decode(block)
                self._children[cid] = b"".join([link.cid for link in links])
            else:
                self._leaves.add(cid)
            self.bytes += len(block)
            yield len(block)

    def missing(self) -> list[bytes]:
        """Return the blocks that hang below the root and are in no file, each once."""
        missing: list[bytes] = []
        seen = {self.root}
        pending = [self.root]
        while pending:
            cid = pending.pop()
            children = self._children.get(cid)
            if children is None:
                if cid not in self._leaves:
                    missing.append(cid)
                continue
            for at in range(0, len(children), CID_SIZE_BYTES):
                child = children[at : at + CID_SIZE_BYTES]
                if child[1] != DAG_PB and child in self._leaves:
                    continue
                if child not in seen:
                    seen.add(child)
                    pending.append(child)
        return missing
