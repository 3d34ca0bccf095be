"""How far packing or checking is, on stderr: bytes on a terminal, nothing elsewhere."""

import time

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from node.cli.bar import Bar
from node.words import size

INTERVAL_S = 0.1


class PackProgress(Bar):
    """Counts bytes while the block runs."""

    def __init__(self) -> None:
        super().__init__(
            BarColumn(),
            TextColumn("{task.fields[size]}"),
            TimeElapsedColumn(),
        )
        self._task = self._progress.add_task("bytes", total=None, size="hashing")
        self._shown = 0.0

    def show(self, done_bytes: int, total_bytes: int | None) -> None:
        """Draw the bytes so far, of how many if that is known; cheap to call for each block."""
        now = time.monotonic()
        if self._progress.disable or now - self._shown < INTERVAL_S or not done_bytes:
            return
        self._shown = now
        told = size(done_bytes) + (f" of {size(total_bytes)}" if total_bytes else "")
        self._progress.update(self._task, completed=done_bytes, total=total_bytes, size=told)
