"""A whole network under one seed: who takes part, what they are asked, and what befalls them."""

from collections.abc import Mapping
from random import Random

import msgspec

from events.codec import PRESENT, Codec
from events.facts import BidsPlaced, BidsPlacedData
from events.items import Bid
from events.log import Expect
from events.requests import (
    CancelRequested,
    CancelRequestedData,
    JobSubmitted,
    JobSubmittedData,
)
from events.spec import JobSpec, digest
from events.subjects import subject
from node.decide.replay import Check
from node.effects import Append
from node.policy import Policy
from projections.audit import Audit, Report
from projections.network import Network
from projections.state import Job
from tests.simulation.character import CHEATS, Honest
from tests.simulation.checker import Checker, Violation, demand, snapshot
from tests.simulation.compute import Compute, capable
from tests.simulation.dialects import TODAY, Dialect
from tests.simulation.faults import CALM, WILD, Faults
from tests.simulation.jobs import draw_spec
from tests.simulation.process import Process
from tests.simulation.requester import Requester
from tests.simulation.services import FREE, LINKED, PAID, Services
from tests.simulation.steps import Steps
from tests.simulation.wire import Wire

POLICY = Policy(
    version="simulated",
    run_grace_ms=5_000,
    reveal_ms=10_000,
    publish_ms=15_000,
    root_ms=10_000,
    close_grace_ms=5_000,
    presence_ms=8_000,
)
MALLORY = "mallory"
QUIET_MS = 60_000
SKEW_MS = 4_000
DRIFT = 0.002


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulation is made of; a smaller plan makes a shorter log. 0 lets the seed draw."""

    seed: int
    jobs: int = 20
    requesters: int = 0
    nodes: int = 0
    faults: Faults = WILD
    trouble_ms: int = 40_000
    """Faults happen, and jobs come, until this time."""


class World:
    """Everything of one simulation.

    `dialects` are what processes speak that are not of today, by name; the first is the newest.
    """

    def __init__(
        self,
        plan: Plan,
        policy: Policy = POLICY,
        dialects: Mapping[str, Dialect] | None = None,
    ) -> None:
        self.plan = plan
        self.policy = policy
        self.chance = chance = Random(plan.seed)
        self.steps = Steps(chance)
        self.wire = Wire(chance, plan.faults, self.steps)
        self.services = Services()
        self.suspects = {MALLORY}
        dialects = dialects or {}
        if dialects:
            self.wire.codec = next(iter(dialects.values())).codec
        self.checker = Checker(self.services, self.suspects, self.wire.codec)
        self.wire.stored = self.checker.stored
        self.wire.folded = self.checker.folded
        self.client = Process("client", self.wire)
        self.client.start()
        requesters = plan.requesters or chance.randint(1, 3)
        nodes = plan.nodes or chance.randint(2, 7)
        self.requesters = [Requester(f"r{n}", self.wire, policy) for n in range(requesters)]
        self.nodes = [self._node(f"n{n}") for n in range(nodes)]
        for member in (self.client, *self.members):
            member.dialect = dialects.get(member.name, TODAY)
        self.submitted: list[str] = []

    def _node(self, name: str) -> Compute:
        character = Honest()
        if self.wire.happens(self.plan.faults.dishonest):
            character = self.chance.choice(CHEATS)()
            self.suspects.add(name)
        node = Compute(name, self.wire, self.policy, self.services, character)
        free = (FREE, LINKED)
        publishers = free if self.chance.random() < 0.2 else (*free, PAID)
        node.capabilities = capable(publishers=publishers, width=self.chance.randint(1, 8))
        return node

    @property
    def members(self) -> list[Requester | Compute]:
        """All processes that can fail."""
        return [*self.requesters, *self.nodes]

    def _payers(self) -> int:
        return sum(1 for node in self.nodes if PAID in node.capabilities.publishers)

    # What happens

    def run(self) -> None:
        """Play it to its end. Raises Violation at the first invariant that does not hold."""
        for member in self.members:
            if self.wire.happens(self.plan.faults.skew):
                member.offset_ms = self.chance.randint(-SKEW_MS, SKEW_MS)
                member.drift = self.chance.uniform(-DRIFT, DRIFT)
            self.steps.later(self.chance.randint(0, 500), member.start)
        for number in range(self.plan.jobs):
            spec = draw_spec(self.chance, len(self.nodes), self._payers())
            at_ms = self.chance.randint(0, self.plan.trouble_ms * 3 // 4)
            self.steps.later(at_ms, lambda n=number, s=spec: self._submit(f"job{n}", s))  # type: ignore[misc]
        if self.plan.faults != CALM:
            self.steps.later(1_000, self._trouble)
        self.steps.run(lambda: False, limit_ms=self.plan.trouble_ms)
        self._heal()
        self._settle()
        self._compare()
        self.audit()

    def _submit(self, name: str, spec: JobSpec) -> None:
        self.submitted.append(name)
        inputs = tuple(None for _ in spec.inputs)
        data = JobSubmittedData(spec=spec, digest=digest(spec), inputs=inputs)
        effect = Append(job=name, kind=JobSubmitted, data=data, cause="", fence=0)
        self.client.insist(effect, lambda _: self._submitted(name))

    def _submitted(self, name: str) -> None:
        """Change one's mind, perhaps, once the job is known to be there."""
        if self.wire.happens(self.plan.faults.cancel):
            data = CancelRequestedData(reason="changed my mind")
            wish = Append(job=name, kind=CancelRequested, data=data, cause="")
            after_ms = self.chance.randint(20, 3_000)
            self.client.later(after_ms, lambda: _ignore(self.client.insist(wish, lambda _: None)))

    def _trouble(self) -> None:
        faults = self.plan.faults
        for member in self.members:
            self._befall(member, faults)
        if self.wire.happens(faults.foreign) and self.checker.network.jobs:
            self._intrude(self.chance.choice(sorted(self.checker.network.jobs)))
        if self.steps.now_ms < self.plan.trouble_ms:
            self.steps.later(1_000, self._trouble)

    def _befall(self, member: Requester | Compute, faults: Faults) -> None:
        chance = self.chance
        if member.up and self.wire.happens(faults.crash):
            member.crash()
            if isinstance(member, Compute) and self.wire.happens(faults.amnesia):
                member.lose_database()
                self.suspects.add(member.name)
            self.steps.later(chance.randint(10, 15_000), lambda: _restart(member))
        if not member.cut_off and self.wire.happens(faults.partition):
            member.cut_off = True
            self.steps.later(chance.randint(100, 15_000), lambda: _reconnect(member))
        if member.up and self.wire.happens(faults.drain):
            self.drain(member)
            self.steps.later(chance.randint(0, 20_000), lambda: self._renew(member))
        if isinstance(member, Requester) and self.wire.happens(faults.hang):
            member.hung_until_ms = self.steps.now_ms + chance.randint(1_000, 30_000)

    def drain(self, member: Requester | Compute) -> None:
        """Ask the life of a process that stands on the log to drain."""
        known = self.checker.network.nodes.members.get(member.name)
        if known is not None:
            life = known.incarnation
            self.wire.tell(self.client, member.name, lambda: member.drain(life), "drain")

    def _renew(self, member: Requester | Compute) -> None:
        """Stop what drains, whether or not it has anything in hand, and start it anew."""
        if member.up and member.draining:
            after_ms = self.chance.randint(10, 15_000)
            member.leave(lambda: self.steps.later(after_ms, lambda: _restart(member)))

    def _intrude(self, job: str) -> None:
        """Somebody else's message under a job's subjects: noise, or a well-formed lie."""
        kind = self.chance.choice(("noise", "unknown", "bid"))
        name = self.wire.new_id()
        if kind == "noise":
            self.wire.store(subject(job, "r", MALLORY, "shards.awarded"), b"\xff{", name)
        elif kind == "unknown":
            self.wire.store(subject(job, "r", MALLORY, "job.adopted"), b'{"type":"x"}', name)
        else:
            mallory = Process(MALLORY, self.wire)
            data = BidsPlacedData(bids=(Bid(0, 100),))
            mallory.send(*_lie(mallory, job, data), lambda _: None)
            del self.wire.processes[MALLORY]

    # How it ends

    def _heal(self) -> None:
        self.wire.faults = CALM
        for member in self.members:
            member.hung_until_ms = 0
            _reconnect(member)
            _restart(member)

    def _settle(self) -> None:
        """Wait for every job to be closed and for every requester to have read to the end."""
        limit_ms = self.steps.now_ms + QUIET_MS
        for job in self.checker.network.jobs.values():
            limit_ms = max(limit_ms, self.steps.now_ms + job.spec.deadline_ms + QUIET_MS)
        closed = self.checker.closed
        if not self.steps.run(lambda: len(closed) >= len(self.submitted), limit_ms=limit_ms):
            stuck = sorted(set(self.submitted) - set(closed))
            jobs = self.checker.network.jobs
            states = [f"{name} ({jobs[name].state})" for name in stuck if name in jobs]
            raise Violation("every job ends", ", ".join(states) or f"{stuck} were not stored")

        def caught_up() -> bool:
            last = self.wire.log.last_now()
            return all(r.network.position == last for r in self.requesters)

        def cleared() -> bool:
            return not any(node.desk.jobs for node in self.nodes if node.up)

        done = self.steps.run(cleared, limit_ms=self.steps.now_ms + QUIET_MS)
        demand(done, "every node lets go", str({n.name: list(n.desk.jobs) for n in self.nodes}))
        done = self.steps.run(caught_up, limit_ms=self.steps.now_ms + QUIET_MS)
        demand(done, "every requester reads on", str([r.network.position for r in self.requesters]))

    def _compare(self) -> None:
        """Compare every fold with one made anew from the log."""
        folds = [(r.name, r.dialect.codec, r.network, r.closed) for r in self.requesters]
        folds.append(("the checker", self.wire.codec, self.checker.network, self.checker.closed))
        expected = {codec: snapshot(*fold(self.wire, codec)) for _, codec, *_ in folds}
        for name, codec, network, closed in folds:
            same = snapshot(network, closed) == expected[codec]
            demand(same, "every fold is the fold of the log", name)

    def audit(self) -> Report:
        """Audit the log: honest processes are clean, and all that the intruder wrote is named.

        Every decision is made again, too: it follows from the log, the time and the rules alone.
        """
        audit = Audit(codec=self.wire.codec)
        check = Check({self.policy.version: self.policy}, codec=self.wire.codec)
        foreign = set()
        for record in self.wire.log._records:
            audit.take(record)
            check.take(record)
            if MALLORY in record.subject.split("."):
                foreign.add(record.position)
        report = audit.finish()
        for finding in report.findings:
            demand(
                finding.author in self.suspects, "the audit of the honest is clean", str(finding)
            )
        named = {finding.position for finding in report.findings}
        demand(foreign <= named, "the audit names the intruder", str(sorted(foreign - named)))
        checked = check.finish()
        same = checked.same == checked.decisions
        demand(same, "every decision is made again from the log", str(checked))
        return report


def fold(wire: Wire, codec: Codec = PRESENT) -> tuple[Network, dict[str, Job]]:
    """Fold the log from its beginning; return the fold, and the jobs that it let go of."""
    network, closed = Network(codec), {}
    for record in wire.log._records:
        entry = network.fold(record)
        if entry is not None:
            job = network.jobs.get(entry.address.job)
            if job is not None and job.closed:
                closed[job.id] = job
                network.retire(job.id)
    return network, closed


def _ignore(_: object) -> None:
    """Take what a step does not need."""


def _restart(member: Process) -> None:
    if not member.up:
        member.start()


def _reconnect(member: Process) -> None:
    if member.cut_off:
        member.cut_off = False
        member.reconnected()


def _lie(mallory: Process, job: str, data: BidsPlacedData) -> tuple[Append, BidsPlaced]:
    effect = Append(job=job, kind=BidsPlaced, data=data, cause="")
    event = mallory.write(effect)
    assert isinstance(event, BidsPlaced)
    return effect, event


__all__ = ["POLICY", "Expect", "Plan", "World", "fold"]
