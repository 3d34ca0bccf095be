"""How a job is doing, on stderr, while somebody waits: a line that moves on a terminal."""

from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from projections.state import Job

TERMINAL_SHARDS = ("completed", "failed", "cancelled")


class JobProgress:
    """Shows a job's shards by state; silent where stderr is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("submitted", total=None, note="")

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

    def show(self, job: Job) -> None:
        """Draw the job as it is now."""
        if self._progress.disable:
            return
        states = Counter[str](shard.state for shard in job.shards)
        done = sum(states[state] for state in TERMINAL_SHARDS)
        note = ", ".join(
            f"{count} {state}" for state, count in states.items() if state not in TERMINAL_SHARDS
        )
        self._progress.update(
            self._task,
            description=f"{job.id} {job.state}",
            completed=done,
            total=len(job.shards) or None,
            note=note,
        )
