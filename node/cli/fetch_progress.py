"""How far a fetch is, on stderr: a bar on a terminal, nothing elsewhere."""

from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from node.cli.bar import Bar


class FetchProgress(Bar):
    """Counts shards and bytes while the block runs."""

    def __init__(self, shards: int) -> None:
        self._bytes = 0
        super().__init__(
            TextColumn("shards"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[size]}"),
            TimeElapsedColumn(),
        )
        self._task = self._progress.add_task("shards", total=shards, size="")

    def add_bytes(self, count: int) -> None:
        """Note that so many more bytes have arrived."""
        self._bytes += count
        self._progress.update(self._task, size=decimal(self._bytes))

    def add_shard(self, count: int) -> None:
        """Note that so many more shards are done with."""
        self._progress.advance(self._task, count)
