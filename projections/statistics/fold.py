"""The fold: what each event adds to the bucket of its time.

Only what an event did counts: an item that came twice, or late, or was not legal did nothing, and
is counted as that. A stage's time is counted when a shard leaves the stage, so that the stages of
a shard add up to its life (`projections.lanes`), those that it came back to included.

An event counts at its time, but not before events that stand before it in the log, and not later
than the log's server stored it: a clock that is wrong must not move what others did.
"""

from collections import defaultdict

from events.decisions import NodeLost, NodeQuarantined
from events.entry import Entry
from events.errors import NewerEvent
from events.log import Record
from events.subjects import NET
from projections.evolve.step import Move
from projections.lanes import STAGE_OF
from projections.network import Network
from projections.state import BUSY, TERMINAL, Job
from projections.statistics import histogram, names
from projections.statistics.bucket import Bucket
from projections.statistics.classes import Classes
from projections.statistics.gauges import gauges_of, needs
from projections.statistics.open_jobs import UNKNOWN, OpenJob, opened
from projections.statistics.pending import Pending

SECOND_MS = 1000


class Fold:
    """Counts what happens into `pending`; `clock_ms` is the newest time that was counted at."""

    def __init__(self, network: Network) -> None:
        """Begin where a fold stands, of which nothing was counted."""
        network.moves = []
        self.clock_ms = 0
        self.pending = Pending()
        self.gauges = gauges_of(network)
        self.jobs: dict[str, OpenJob] = {job.id: opened(job) for job in network.jobs.values()}
        self.classes = Classes()
        self._skipped_of_nodes = (network.nodes.late, network.nodes.illegal)
        self._next_ms = 0
        self._forget()

    def note(self, record: Record, entry: Entry | None, network: Network) -> None:
        """Count a message that was just folded."""
        size_bytes = len(record.body)
        if entry is None:
            newer = isinstance(network.skipped, NewerEvent)
            self._count["newer" if newer else "foreign"] += 1
            self._size_bytes += size_bytes
            return
        time_ms = entry.time_ms
        if time_ms > self.clock_ms:
            self._advance(time_ms, record.stored_ms)
        self._size_bytes += size_bytes
        name = entry.address.job
        self._kinds[entry.address.kind] += 1
        if name == NET:
            self._note_nodes(entry, network)
            return
        job = network.jobs.get(name)
        known = self.jobs.get(name)
        if known is None:
            if job is None or job.first != record.position:
                self._count["late"] += 1
                return
            known = self._submitted(job, time_ms)
        if job is not None:
            known.size_bytes += size_bytes
            self._note_job(known, job, network.moves, time_ms)

    def resume(self, clock_ms: int) -> None:
        """Go on at a time up to which all is counted."""
        self.clock_ms = clock_ms
        at_s = clock_ms // SECOND_MS
        self.pending.roll(at_s)
        self._next_ms = (at_s + 1) * SECOND_MS

    def seal(self) -> None:
        """Put what was counted last to `pending`."""
        if not self._kinds and not self._count:
            return
        histograms = {name: histogram.binned(values) for name, values in self._samples.items()}
        counts = dict(self._count)
        counts[names.BYTES] = self._size_bytes
        for kind, number in self._kinds.items():
            counts[f"{names.EVENT}{kind}"] = number
        counts.pop(_UNCOUNTED, None)
        if concluded := counts.pop(_CONCLUDED, 0):
            for name in (names.EXECUTIONS["proposed"], names.EXECUTIONS["accepted"]):
                counts[name] = counts.get(name, 0) + concluded
        gauges = self.gauges
        self.pending.add(Bucket(counts, histograms, gauges.values(), gauges.settle()))
        self._forget()

    def forget(self) -> None:
        """Drop what was counted and not taken: it is counted already."""
        self.pending.forget()
        self.gauges.settle()
        self._forget()

    def _forget(self) -> None:
        self._size_bytes = 0
        self._kinds: defaultdict[str, int] = defaultdict(int)
        self._count: defaultdict[str, int] = defaultdict(int)
        self._samples: defaultdict[str, list[int]] = defaultdict(list)

    def _advance(self, time_ms: int, stored_ms: int) -> None:
        """Let the time be that of an event, unless it lies behind when it was stored."""
        time_ms = min(time_ms, stored_ms or time_ms)
        if time_ms >= self._next_ms:
            self.seal()
            at_s = time_ms // SECOND_MS
            self.pending.roll(at_s)
            self._next_ms = (at_s + 1) * SECOND_MS
        self.clock_ms = max(self.clock_ms, time_ms)

    # Nodes

    def _note_nodes(self, entry: Entry, network: Network) -> None:
        nodes = network.nodes
        late, illegal = self._skipped_of_nodes
        if nodes.late != late:
            self._count["late"] += nodes.late - late
        if nodes.illegal != illegal:
            self._count["illegal"] += nodes.illegal - illegal
        self._skipped_of_nodes = (nodes.late, nodes.illegal)
        for part in entry.parts():
            of = part.event.data.node if isinstance(part.event, NodeLost | NodeQuarantined) else ""
            name = of or entry.address.author
            self.gauges.node(name, nodes.members.get(name))

    # Jobs

    def _submitted(self, job: Job, time_ms: int) -> OpenJob:
        cpu, memory = needs(job)
        known = self.jobs[job.id] = OpenJob("submitted", time_ms, cpu, memory)
        self.gauges.submit()
        self._count[names.JOBS["submitted"]] += 1
        return known

    def _note_job(self, known: OpenJob, job: Job, moves: list[Move] | None, time_ms: int) -> None:
        state, waiting = job.state, len(job.placing)
        if known.state == "submitted" and job.shards:
            self._count[names.SHARDS["planned"]] += len(job.shards)
            known.since = [known.start_ms] * len(job.shards)
            known.state = "running"
        if moves:
            self._note_moves(known, job, moves, time_ms)
        if waiting != known.waiting:
            self.gauges.wait(waiting - known.waiting)
            known.waiting = waiting
        if state != known.state:
            known.state = state
            if state in TERMINAL:
                self._ended(known, job)
        if job.closed:
            del self.jobs[job.id]

    def _note_moves(self, known: OpenJob, job: Job, moves: list[Move], time_ms: int) -> None:
        """Count what an event did; a shard that it moved twice has been nowhere in between."""
        count = self._count
        moved: dict[int, str] = {}
        running = 0
        for what, item, index, before, after, detail in moves:
            if what == "shard":
                moved.setdefault(index, before)
            elif what == "execution":
                count[_EXECUTIONS[item]] += 1
                if before in BUSY:
                    running -= after not in BUSY
                elif not before:
                    running += 1
                if item == "failed":
                    count[self.classes.name("execution", str(detail))] += 1
            elif what in ("slot", "root"):
                self._note_slot(item, detail)
            elif what in _ITEMS:
                count[_ITEMS[what][item]] += 1
        if running:
            self.gauges.run(running, known.cpu, known.memory)
        if moved:
            self._note_stages(known, job, moved, time_ms)

    def _note_slot(self, item: str, detail: str | int) -> None:
        count = self._count
        if item == "published":
            count[names.PUBLISHED] += 1
            count[names.PUBLISHED_BYTES] += min(max(0, int(detail)), histogram.LARGEST)
        elif item in ("failed", "unpaid"):
            count[names.PUBLISH_FAILED] += 1
            count[self.classes.name("publication", str(detail))] += 1

    def _note_stages(self, known: OpenJob, job: Job, moved: dict[int, str], time_ms: int) -> None:
        """Count the stays in a stage that an event ended, and the ends of shards."""
        shards, since, samples = job.shards, known.since, self._samples
        for index, before in moved.items():
            after = shards[index].state
            left = _STAGES[before]
            if left == _STAGES[after]:
                continue
            since_ms = since[index]
            now_ms = since[index] = max(time_ms, since_ms)
            if since_ms != UNKNOWN:
                samples[left].append(now_ms - since_ms)
            if after in _ENDED_SHARDS:
                self._count[_ENDED_SHARDS[after]] += 1
                samples[names.TOTAL].append(max(0, now_ms - known.start_ms))

    def _ended(self, known: OpenJob, job: Job) -> None:
        known.since = []
        self.gauges.open_jobs -= 1
        self._count[names.JOBS[job.state]] += 1
        if job.state == "failed":
            self._count[self.classes.name("job", job.code)] += 1
        if known.size_bytes >= 0:
            self._samples[names.MESSAGES].append(job.seen)
            self._samples[names.JOB_BYTES].append(known.size_bytes)


_STAGES: dict[str, str] = {
    **dict.fromkeys(TERMINAL, ""),
    **{state: names.LATENCY[stage] for state, stage in STAGE_OF.items()},
}
_ENDED_SHARDS: dict[str, str] = {state: names.SHARDS[state] for state in TERMINAL}
_UNCOUNTED = ""
_CONCLUDED = "concluded"
"""A claim that is its own verdict: proposed and accepted at once."""
_EXECUTIONS = {
    **dict.fromkeys(("asked", "revealed"), _UNCOUNTED),
    **names.EXECUTIONS,
    "concluded": _CONCLUDED,
}
_ITEMS: dict[str, dict[str, str]] = {
    "offer": {"made": names.OFFERS},
    "bid": names.BIDS,
    "verdict": names.VERDICTS,
    "skipped": names.SKIPPED,
}
