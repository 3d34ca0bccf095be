"""The entries of one large folder, which its blocks hold in the order of hashes, by their names."""

from collections.abc import Iterable, Iterator
from itertools import islice

from events.cid import CID_SIZE_BYTES
from events.unixfs_reader import Place
from publishers.sorted_records import SortedRecords

BATCH = 1024
_SIZE_BYTES = 8
_TAIL_BYTES = CID_SIZE_BYTES + _SIZE_BYTES


class SortedPlaces:
    """Takes the entries of one folder in any order and gives them by name; blocks.

    Memory is that of `SortedRecords`, which also says what is raised.
    """

    def __init__(self, folder: Place) -> None:
        self._folder = folder
        self._records = SortedRecords()

    def add(self, places: Iterable[Place]) -> None:
        """Take some entries."""
        for place in places:
            size = (place.dag_size_bytes or 0).to_bytes(_SIZE_BYTES, "big")
            self._records.add(place.path + b"\0" + place.cid + size)

    def __iter__(self) -> Iterator[Place]:
        """Give all entries taken so far."""
        return map(self._place, self._records)

    def batches(self) -> Iterator[list[Place]]:
        """Give them up to `BATCH` at a time."""
        ordered = iter(self)
        while batch := list(islice(ordered, BATCH)):
            yield batch

    def close(self) -> None:
        """Give the temporary file back; safe to repeat."""
        self._records.close()

    def _place(self, record: bytes) -> Place:
        return Place(
            record[-_TAIL_BYTES:-_SIZE_BYTES],
            record[: -_TAIL_BYTES - 1],
            int.from_bytes(record[-_SIZE_BYTES:], "big"),
            self._folder.depth + 1,
        )
