"""The whole log folded: every open job, every node, and a count of what could not be folded."""

from collections import OrderedDict

from events.decisions import ResultsJudged
from events.errors import EventError
from events.log import Record
from events.requests import JobSubmitted
from events.subjects import NET, partition
from projections.entry import Entry, read_entry
from projections.evolve import begin, count, evolve
from projections.nodes import Nodes, count_nodes, evolve_nodes, note_verdicts
from projections.state import Job

RETIRED_MAX = 100_000
FOREIGN_KEPT_MAX = 20
STRAYS_MAX = 1_000


class Network:
    """The fold of the log as far as `position`.

    Jobs stay until `retire` takes them out; an event of a job that is not here is late if the job
    was retired, else foreign.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.nodes = Nodes()
        self.position = 0
        self.late = 0
        self.foreign = 0
        self.foreign_kept: list[str] = []
        self._retired: OrderedDict[str, None] = OrderedDict()
        self._strays: OrderedDict[str, int] = OrderedDict()

    def fold(self, record: Record) -> Entry | None:
        """Fold one message; return its entry, or None when it is no event of ours."""
        self.position = record.position
        try:
            entry = read_entry(record)
        except EventError as error:
            self._foreign(record, str(error))
            return None
        name = entry.address.job
        if name == NET:
            evolve_nodes(self.nodes, entry)
            return entry
        job = self.jobs.get(name)
        if job is not None:
            skipped = job.illegal + job.late
            evolve(job, entry)
            if isinstance(entry.event, ResultsJudged) and job.illegal + job.late == skipped:
                note_verdicts(self.nodes, job, entry.event)
        elif isinstance(entry.event, JobSubmitted) and name not in self._retired:
            self.jobs[name] = begin(entry, entry.event)
            self.jobs[name].fence = self._strays.pop(name, 0)
        else:
            self.late += 1
            if entry.address.role == "r":
                self._stray(name, record)
        return entry

    def retire(self, job: str) -> None:
        """Forget a closed job; what still comes of it is late."""
        self.jobs.pop(job, None)
        self._retired[job] = None
        if len(self._retired) > RETIRED_MAX:
            self._retired.popitem(last=False)

    def _foreign(self, record: Record, why: str) -> None:
        """Count a message that is none of ours, also against the job whose subject it uses.

        It moved that job's fence and is part of its seal.
        """
        self.foreign += 1
        self.foreign_kept.append(f"{record.position} {record.subject}: {why}")
        del self.foreign_kept[:-FOREIGN_KEPT_MAX]
        match record.subject.split("."):
            case ["lota", "ev", part, name, role, *rest] if part == partition(name):
                self._touch(name, record, decision=role == "r" and bool(rest))
            case _:
                pass

    def _touch(self, name: str, record: Record, *, decision: bool) -> None:
        job = self.jobs.get(name)
        if job is not None:
            count(job, record)
            job.fence = record.position if decision else job.fence
        elif name == NET:
            count_nodes(self.nodes, record)
            self.nodes.fence = record.position if decision else self.nodes.fence
        elif decision:
            self._stray(name, record)

    def _stray(self, name: str, record: Record) -> None:
        """Remember a decision about a job that is not there yet: it stands in the job's fence."""
        if name not in self._retired:
            self._strays[name] = record.position
            if len(self._strays) > STRAYS_MAX:
                self._strays.popitem(last=False)
