"""The whole log folded: every open job, every node, and a count of what could not be folded."""

from collections import OrderedDict, deque

from events.codec import PRESENT, Codec
from events.decisions import ResultsJudged
from events.entry import Entry, read_entry
from events.errors import EventError, NewerEvent
from events.log import Record
from events.requests import JobSubmitted
from events.subjects import NET, partition
from projections.evolve import begin, count, evolve
from projections.evolve.step import Move
from projections.newer import skip
from projections.nodes import Nodes, count_nodes, evolve_nodes, note_verdicts
from projections.state import Job, Skipped

RETIRED_MAX = 100_000
FOREIGN_KEPT_MAX = 20
STRAYS_MAX = 1_000
HELD_KEPT_MAX = 1_000
"""Jobs that were held lately and that nobody has told of yet."""


class Network:
    """The fold of the log as far as `position`.

    Jobs stay until `retire` takes them out; what still comes of one, or of one that nobody has
    submitted, is late. `retired` names the last that were taken out; `strays` names jobs that are
    not there yet and about which there is a decision, with its position: their fence. `newer` tells
    by type what only a newer version of Lota knows. `moves` is what the last message did to its
    job; None when nobody asks, as is the case at first.
    """

    def __init__(self, codec: Codec = PRESENT) -> None:
        self.codec = codec
        self.jobs: dict[str, Job] = {}
        self.nodes = Nodes()
        self.position = 0
        self.late = 0
        self.foreign = 0
        self.foreign_kept: list[str] = []
        self.newer: dict[str, Skipped] = {}
        self.held: deque[tuple[str, str]] = deque(maxlen=HELD_KEPT_MAX)
        self.skipped: EventError | None = None
        self.retired: OrderedDict[str, None] = OrderedDict()
        self.strays: OrderedDict[str, int] = OrderedDict()
        self.moves: list[Move] | None = None

    def fold(self, record: Record) -> Entry | None:
        """Fold one message; return its entry, or None when it was `skipped`, which says why."""
        self.position = record.position
        moves = self.moves
        if moves:
            moves.clear()
        try:
            entry = read_entry(record, self.codec)
        except NewerEvent as error:
            self.skipped = error
            self._skip(record, error)
            return None
        except EventError as error:
            self.skipped = error
            self._foreign(record, str(error))
            return None
        name = entry.address.job
        if name == NET:
            evolve_nodes(self.nodes, entry)
            return entry
        job = self.jobs.get(name)
        if job is not None:
            skipped = job.illegal + job.late
            evolve(job, entry, moves)
            judged = isinstance(entry.event, ResultsJudged) or entry.more
            if judged and job.illegal + job.late == skipped:
                for part in entry.parts():
                    if isinstance(part.event, ResultsJudged):
                        note_verdicts(self.nodes, job, part.event)
        elif isinstance(entry.event, JobSubmitted) and name not in self.retired:
            self.jobs[name] = begin(entry, entry.event, moves)
            self.jobs[name].fence = self.strays.pop(name, 0)
        else:
            self.late += 1
            if entry.address.role == "r":
                self._stray(name, record)
        return entry

    def retire(self, job: str) -> None:
        """Forget a closed job; what still comes of it is late."""
        self.jobs.pop(job, None)
        self.retired[job] = None
        if len(self.retired) > RETIRED_MAX:
            self.retired.popitem(last=False)

    def tell_held(self) -> None:
        """Have everything told that is held, also what was told before."""
        of = {"losing nodes": self.nodes.held}
        of |= {f"job {name}": job.held for name, job in self.jobs.items()}
        self.held.extend((name, held) for name, held in of.items() if held)

    def _skip(self, record: Record, error: NewerEvent) -> None:
        """Count an event that only a newer version knows, and hold what it decides about.

        It is part of its job's seal, and a decision that was not folded is not in the fence.
        """
        skip(self.newer, error.type, record.position)
        _, _, _, name, role, *_ = record.subject.split(".")
        job = self.jobs.get(name)
        if name == NET:
            count_nodes(self.nodes, record)
            of: Job | Nodes = self.nodes
        elif job is not None:
            count(job, record)
            of = job
        else:
            if role == "r":
                self._stray(name, record)
            return
        skip(of.newer, error.type, record.position)
        if role == "r" and not of.held:
            of.held = f"{error.type} at position {record.position}"
            self.held.append(("losing nodes" if name == NET else f"job {name}", of.held))

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
        if name not in self.retired:
            self.strays[name] = record.position
            if len(self.strays) > STRAYS_MAX:
                self.strays.popitem(last=False)
