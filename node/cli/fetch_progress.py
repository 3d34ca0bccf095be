"""How far a fetch is, on stderr: a bar on a terminal, nothing elsewhere."""

from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from node.cli.bar import Bar


class FetchProgress(Bar):
    """Counts bytes, files and shards while the block runs; `size_bytes` is what is expected."""

    def __init__(self, shards: int, size_bytes: int | None) -> None:
        self._shards = self._files = 0
        self._all = shards
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
        )
        self._task = self._progress.add_task(self._text(), total=size_bytes)

    def add_bytes(self, count: int) -> None:
        """Note that so many more bytes are here and right."""
        self._progress.advance(self._task, count)

    def add_files(self, count: int) -> None:
        """Note that so many more files are whole."""
        self._files += count
        self._progress.update(self._task, description=self._text())

    def add_shards(self, count: int) -> None:
        """Note that so many more shards are done with."""
        self._shards += count
        self._progress.update(self._task, description=self._text())

    def _text(self) -> str:
        return f"{self._files:,} file(s), {self._shards:,} of {self._all:,} shard(s)"
