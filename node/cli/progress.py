"""How a job is doing, on stderr, while somebody waits: a line that moves on a terminal."""

from collections import Counter

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from node.cli.bar import Bar
from projections.state import Job

TERMINAL_SHARDS = ("completed", "failed", "cancelled")


class JobProgress(Bar):
    """Shows a job's shards by state; silent where stderr is no terminal."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        self._task = self._progress.add_task("submitted", total=None, note="")

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
