"""What has left the fold, in numbers: how many events there were, and how the closed jobs ended."""

from events.entry import Entry
from projections.state import Job, Mutable


class Tally(Mutable):
    """Counts beside a fold. `ended` counts closed jobs by state, `late` and `illegal` theirs.

    `time_ms` is when the last event says that it happened.
    """

    events: int = 0
    time_ms: int = 0
    ended: dict[str, int] = {}
    late: int = 0
    illegal: int = 0

    def count(self, entry: Entry | None) -> None:
        """Count a message that was folded; None is one that was skipped."""
        self.events += 1
        if entry is not None:
            self.time_ms = entry.time_ms

    def let_go(self, job: Job) -> None:
        """Count a job that leaves, as it is closed."""
        self.ended[job.state] = self.ended.get(job.state, 0) + 1
        self.late += job.late
        self.illegal += job.illegal
