"""Blocks of folders and long files that were read and checked, kept while there is room."""

from collections import OrderedDict

CACHE_BYTES_MAX = 16 * 1024 * 1024


class BlockCache:
    """The blocks used last, by their CID in 36 bytes; one for all results of a command."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[bytes, bytes] = OrderedDict()
        self._size_bytes = 0

    def get(self, cid: bytes) -> bytes | None:
        """Return a block if it is still there."""
        block = self._blocks.get(cid)
        if block is not None:
            self._blocks.move_to_end(cid)
        return block

    def put(self, cid: bytes, block: bytes) -> None:
        """Keep a block whose hash was checked."""
        if cid in self._blocks:
            return
        self._blocks[cid] = block
        self._size_bytes += len(block)
        while self._size_bytes > CACHE_BYTES_MAX:
            self._size_bytes -= len(self._blocks.popitem(last=False)[1])
