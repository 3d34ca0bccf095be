"""How far a fetch is, on stderr: a bar on a terminal, nothing elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class FetchProgress:
    """Counts shards and bytes while the block runs."""

    def __init__(self, shards: int) -> None:
        screen = Console(stderr=True)
        self._bytes = 0
        self._progress = Progress(
            TextColumn("shards"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[size]}"),
            TimeElapsedColumn(),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        self._task = self._progress.add_task("shards", total=shards, size="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def add_bytes(self, count: int) -> None:
        """Note that so many more bytes have arrived."""
        self._bytes += count
        self._progress.update(self._task, size=decimal(self._bytes))

    def add_shard(self, count: int) -> None:
        """Note that so many more shards are done with."""
        self._progress.advance(self._task, count)
