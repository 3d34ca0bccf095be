"""One job folded from its own stream, with what a page about it shows besides its state."""

from events.entry import Entry
from events.log import Record
from projections.lanes import Lanes
from projections.network import Network
from projections.state import Job
from projections.timeline import Timeline
from projections.travel import Travel


class JobFold:
    """The job `name`, which stays whole when it is closed, and its timeline and lanes.

    `network` is what the log begins with; other jobs in it are of no use here.
    """

    def __init__(self, name: str, network: Network) -> None:
        network.jobs = {of: job for of, job in network.jobs.items() if of == name}
        self.travel = Travel(network, keep=name)
        self.timeline = Timeline()
        self.lanes = Lanes()
        self._name = name

    @property
    def job(self) -> Job | None:
        """The job, None while it has not been submitted."""
        return self.travel.network.jobs.get(self._name)

    def fold(self, record: Record) -> Entry | None:
        """Fold the next message, of the job or of the nodes."""
        entry = self.travel.fold(record)
        job = self.job
        if entry is not None and job is not None and entry.address.job == self._name:
            self.timeline.note(entry)
            self.lanes.note(job, entry)
        return entry
