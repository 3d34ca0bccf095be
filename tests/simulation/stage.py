"""A network for scripts: nothing goes wrong but what the script lets go wrong."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from events.codec import AnyEvent
from events.entry import Entry, read_entry
from events.errors import EventError
from events.spec import Deal, JobSpec, PublisherSpec, Sharding, normal
from node.policy import Policy
from projections.state import Job
from tests.simulation.character import Honest
from tests.simulation.compute import Compute, capable
from tests.simulation.dialects import Dialect
from tests.simulation.faults import CALM, Faults
from tests.simulation.requester import Requester
from tests.simulation.services import FREE, LINKED, PAID
from tests.simulation.wire import Fate
from tests.simulation.world import POLICY, Plan, World

LIMIT_MS = 400_000
JOB = "job"


def first(kind: str, fate: list[int], receiver: str = "") -> Fate:
    """Return what befalls the first message of a kind alone: the delays at which it arrives."""
    met: list[str] = []

    def decide(name: str, what: str) -> list[int] | None:
        if what == kind and receiver in ("", name) and not met:
            met.append(name)
            return fate
        return None

    return decide


class Stage:
    """A world of a few processes, its one job, and words to direct it."""

    def __init__(
        self,
        *,
        nodes: int = 3,
        requesters: int = 1,
        cast: Sequence[Honest] = (),
        seed: int = 1,
        faults: Faults = CALM,
        dialects: Mapping[str, Dialect] | None = None,
        policy: Policy = POLICY,
    ) -> None:
        plan = Plan(seed=seed, jobs=0, requesters=requesters, nodes=nodes, faults=faults)
        self.world = World(plan, policy, dialects)
        self.wire = self.world.wire
        for node, character in zip(self.world.nodes, cast, strict=False):
            node.character = character
            if not character.honest:
                self.world.suspects.add(node.name)
        for node in self.world.nodes:
            node.capabilities = capable(publishers=(FREE, LINKED, PAID), width=8)

    @property
    def nodes(self) -> list[Compute]:
        """The compute nodes."""
        return self.world.nodes

    @property
    def requesters(self) -> list[Requester]:
        """The requesters."""
        return self.world.requesters

    @property
    def job(self) -> Job:
        """The job as the log tells, also when it is closed."""
        closed = self.world.checker.closed.get(JOB)
        return closed if closed is not None else self.world.checker.network.jobs[JOB]

    def node(self, name: str) -> Compute:
        """Return the node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def open(self, fate: Fate = lambda _, __: None) -> None:
        """Start every process and wait until all are members."""
        self.wire.fate = fate
        for member in self.world.members:
            member.start()
        count = len(self.world.members)
        members = self.world.checker.network.nodes.members
        self.world.steps.run(lambda: len(members) >= count, limit_ms=5_000)

    def submit(
        self,
        *,
        replicas: int = 1,
        confidence: int = 0,
        shards: int = 1,
        publishers: tuple[str, ...] = (),
        verifier: str = "deterministic",
        deadline: str = "3m",
    ) -> None:
        """Submit the job."""
        spec = JobSpec(
            engine="noop",
            sharding=Sharding(count=shards),
            deal=Deal(replicas, confidence),
            verifier="none" if verifier == "none" else "deterministic",
            publishers=tuple(PublisherSpec(driver) for driver in publishers),
            timeout="10s",
            deadline=deadline,
        )
        self.world._submit(JOB, normal(spec, publishers=dict.fromkeys((FREE, LINKED, PAID), False)))

    def drain(self, name: str) -> None:
        """Ask a node or requester to drain."""
        self.world.drain(next(m for m in self.world.members if m.name == name))

    def play(self, until: Callable[[], bool] | None = None) -> None:
        """Play until a condition holds; without one until the job is closed and all have read."""
        ended = self.world.steps.run(until or self._over, limit_ms=LIMIT_MS)
        assert ended, (self.job.state, [shard.state for shard in self.job.shards])
        if until is None:
            self.world._settle()
            self.world._compare()
            self.world.audit()

    def _over(self) -> bool:
        return JOB in self.world.checker.closed

    def play_for(self, ms: int) -> None:
        """Let time pass."""
        self.world.steps.run(lambda: False, limit_ms=self.world.steps.now_ms + ms)

    def told(self, kind: str) -> bool:
        """Whether an event of that kind stands in the log."""
        return bool(self.events(kind))

    def events(self, kind: str) -> list[Entry]:
        """Return the job's events of a kind, as stored."""
        return [entry for entry in self.log() if entry.address.kind == kind]

    def log(self) -> list[Entry]:
        """Return everything of the job that can be read."""
        entries: list[Entry] = []
        for record in self.wire.log._records:
            try:
                entry = read_entry(record, self.wire.codec)
            except EventError:
                continue
            if entry.address.job == JOB:
                entries.append(entry)
        return entries

    def counted(self) -> Counter[str]:
        """Return how many events of each kind there are."""
        return Counter(entry.address.kind for entry in self.log())

    def store_again(self, entry: Entry) -> Exception | None:
        """Let a stored message arrive once more, with its own id."""
        event: AnyEvent = entry.event
        return self.wire.store(entry.record.subject, entry.record.body, event.id)

    @property
    def payments(self) -> list[str]:
        """The nodes that paid for shard 0, in order."""
        return self.world.services.payments.get((JOB, 0, PAID), [])


__all__ = ["FREE", "JOB", "LINKED", "PAID", "POLICY", "Stage", "first"]
