"""How many events are copied, on stderr: a bar on a terminal, nothing elsewhere."""

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from node.cli.bar import Bar


class EventProgress(Bar):
    """Counts events while the block runs."""

    def __init__(self, what: str, expected: int | None = None) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._task = self._progress.add_task(what, total=expected)

    def begin(self, what: str, expected: int) -> None:
        """Go over to another kind of work, of which the amount is known."""
        self._progress.update(self._task, description=what, completed=0, total=expected)

    def add(self, count: int) -> None:
        """Note that so many more are done."""
        self._progress.advance(self._task, count)
