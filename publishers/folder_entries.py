"""The entries of one folder, of any number, on their way into its node."""

from collections.abc import Iterator

from events.cid import CID_SIZE_BYTES
from events.dagpb import Node, Sink
from events.hamt import Hashed, sorted_hamt
from events.murmur3 import murmur3_64
from events.unixfs import MAX_DIRECTORY_BLOCK_BYTES, Entry, directory
from publishers.sorted_records import SortedRecords

_LINK_BYTES_MIN = 45
FLAT_MAX = MAX_DIRECTORY_BLOCK_BYTES // _LINK_BYTES_MIN
"""No folder of more entries fits one block: it is a HAMT, which takes them by their hashes."""

_HASH_BYTES = 8
_SIZE_BYTES = 8


class FolderEntries:
    """Takes the entries of a folder, each name once, and makes its node; blocks.

    It holds 8 MiB, and puts the rest into a temporary file. Raises `PublishError` when that fails.
    """

    def __init__(self) -> None:
        self._few: list[Entry] = []
        self._many: SortedRecords | None = None

    def add(self, entry: Entry) -> None:
        """Take one entry."""
        if self._many is not None:
            self._many.add(_record(entry))
            return
        self._few.append(entry)
        if len(self._few) > FLAT_MAX:
            self._many = SortedRecords()
            for one in self._few:
                self._many.add(_record(one))
            self._few = []

    def directory(self, sink: Sink | None) -> Node:
        """Return the folder's node; raises `ContentError` as `events.unixfs.directory` does."""
        if self._many is None:
            return directory(self._few, sink)
        try:
            return sorted_hamt(_hashed(self._many), sink)
        finally:
            self._many.close()


def _record(entry: Entry) -> bytes:
    hashed = murmur3_64(entry.name).to_bytes(_HASH_BYTES, "big")
    return hashed + entry.name + entry.cid + entry.dag_size_bytes.to_bytes(_SIZE_BYTES, "big")


def _hashed(records: SortedRecords) -> Iterator[Hashed]:
    tail = CID_SIZE_BYTES + _SIZE_BYTES
    for record in records:
        yield (
            int.from_bytes(record[:_HASH_BYTES], "big"),
            record[_HASH_BYTES:-tail],
            record[-tail:-_SIZE_BYTES],
            int.from_bytes(record[-_SIZE_BYTES:], "big"),
        )
