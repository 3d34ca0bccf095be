"""The fold of a log, and what each job in it will tell as a trace when it has ended."""

from collections.abc import Iterator

from events.log import Record
from projections.network import Network
from projections.spans import JobTrace, Span, begin_trace, spans
from projections.state import TERMINAL


class Traces:
    """Begins with a fold; jobs whose submission comes before it are not told."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._traces: dict[str, JobTrace] = {}

    @property
    def open(self) -> int:
        """How many jobs have been submitted and not ended."""
        return len(self._traces)

    def fold(self, record: Record) -> Iterator[Span] | None:
        """Fold one message; return the spans of the job that it ended, if it ended one.

        They are made as they are taken, which must be before the next message is folded.
        """
        entry = self.network.fold(record)
        job = self.network.jobs.get(entry.address.job) if entry is not None else None
        if entry is None or job is None:
            return None
        if job.seen == 1 and job.id not in self._traces:
            self._traces[job.id] = begin_trace()
        told = None
        trace = self._traces.get(job.id)
        if trace is not None:
            trace.note(job, entry)
            if job.state in TERMINAL:
                del self._traces[job.id]
                told = spans(job, trace)
        if job.closed:
            self.network.retire(job.id)
        return told
