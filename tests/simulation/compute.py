"""A compute node: orders in, facts out, and a memory that outlives its crashes."""

from collections import deque

import msgspec

from events.codec import AnyEvent
from events.facts import BidsPlaced, Fact
from events.items import Capabilities, Claim
from events.log import Record
from events.subjects import job_events, parse
from node.compute.consult import own_bids
from node.compute.decide import Place, decide_desk
from node.compute.desk import (
    Desk,
    DeskJob,
    Key,
    RootTask,
    Task,
    acknowledge,
    announce,
    disposable,
    failed,
    finished,
    held,
    refused,
    running,
    sweep,
    take,
)
from node.effects import Append, Effect, ListInputs, Publish, PublishRoot, Stop
from node.orders import Orders, all_owed
from node.policy import Policy
from projections.network import Network
from tests.simulation.character import Honest
from tests.simulation.checker import demand
from tests.simulation.jobs import inputs_of
from tests.simulation.process import Process
from tests.simulation.services import Services
from tests.simulation.wire import Wire

RUN_MS = (5, 400)
SLOW_MS = (20_000, 60_000)
UPLOAD_MS = (5, 300)
UNPAID_RATE = 0.5
"""Failures of a paid upload after which it is certain that nothing was paid."""
ANNOUNCE_MS = 200
SWEEP_MS = 20_000


class Memory(msgspec.Struct):
    """What is on the node's disk: its secret, the jobs it met, and what its executions came to."""

    secret: bytes
    jobs: dict[str, None] = {}
    claims: dict[tuple[str, Key], Claim] = {}
    lost: bool = False


class Compute(Process):
    """Runs and publishes what it is asked to; its character says how honestly.

    A script may set how long a run or an upload takes (0: let chance decide).
    """

    def __init__(
        self, name: str, wire: Wire, policy: Policy, services: Services, character: Honest
    ) -> None:
        super().__init__(name, wire)
        self.policy = policy
        self.services = services
        self.character = character
        self.memory = Memory(f"{name}-0".encode())
        self.run_ms = 0
        self.upload_ms = 0
        self.pays_after_ms: int | None = None
        self.breaks_roots = False

    # Lives

    def start(self) -> None:
        """Rebuild the desk from memory and the log, then join."""
        super().start()
        self.desk = Desk(node=self.name, paid=self.policy.paid)
        self.queue: deque[tuple[str, Key]] = deque()
        self.busy: set[tuple[str, Key]] = set()
        self._touched: set[str] = set()
        self._consulting: set[str] = set()
        self.soon(self._recall)
        self.later(SWEEP_MS, self._sweep)

    def _sweep(self) -> None:
        for job in sweep(self.desk):
            self._touch(job)
        self.later(SWEEP_MS, self._sweep)

    def _recall(self) -> None:
        if self.cut_off:
            self.later(1_000, self._recall)
            return
        log = self.wire.log
        names = list(self.memory.jobs)
        if self.memory.lost:
            bids = log.records(own_bids(self.name, self.dialect.codec), limit=100_000)
            names += [parse(record.subject).job for record in bids]
            self.memory.lost = False
        for name in dict.fromkeys(names):
            self.take(self._read(name))
            if name not in self.desk.jobs:
                self._forget(name)
        self.join(self.holds())

    def lose_database(self) -> None:
        """Forget everything that was on the disk, the secret too."""
        self.memory = Memory(f"{self.name}-{self.life}".encode(), lost=True)

    def holds(self) -> tuple[str, ...]:
        return tuple(held(self.desk))

    # What comes in

    def take(self, orders: Orders) -> None:
        job = take(self.desk, orders)
        if job is None:
            return
        for key in self._named(orders):
            self._awarded(job, key)
        self._touch(job)

    def _named(self, orders: Orders) -> list[Key]:
        names = [(item.shard, item.attempt) for item in orders.run]
        names += [(item.shard, item.attempt) for item in orders.reveal]
        return names + [(item.shard, item.attempt) for item in orders.publish]

    def _awarded(self, job: DeskJob, key: Key) -> None:
        """Queue what was awarded; what has been finished already is not run again."""
        task = job.tasks.get(key)
        if task is None:
            return
        claim = self.memory.claims.get((job.id, key))
        if claim is not None and task.state == "queued":
            finished(job, task, claim)
        elif claim is not None and task.claim is None:
            task.claim = claim
        elif task.state == "queued" and (job.id, key) not in self.queue:
            self.queue.append((job.id, key))

    def _touch(self, job: DeskJob) -> None:
        if job.id not in self._touched:
            self._touched.add(job.id)
            self.soon(lambda: self._turn(job))

    # DECIDE

    def _turn(self, job: DeskJob) -> None:
        self._touched.discard(job.id)
        if self.desk.jobs.get(job.id) is not job:
            return
        if job.offers:
            self.memory.jobs[job.id] = None
        self._start_runs()
        if job.doubt and job.id not in self._consulting:
            self._consulting.add(job.id)
            self.soon(lambda: self._consult(job))
        place = Place(
            node=self.name,
            secret=self.memory.secret,
            capabilities=self.capabilities,
            taken=len(self.queue) + len(self.busy),
            draining=self.draining,
            paid=self.policy.paid,
        )
        for effect in decide_desk(job, place, now_ms=self.clock_ms()):
            self._perform(job, effect)
        if disposable(job):
            del self.desk.jobs[job.id]
            self._forget(job.id)

    def _forget(self, name: str) -> None:
        self.memory.jobs.pop(name, None)
        for key in [key for key in self.memory.claims if key[0] == name]:
            del self.memory.claims[key]

    def _perform(self, job: DeskJob, effect: Effect) -> None:
        match effect:
            case Append():
                self._append(job, effect)
            case Stop():
                task = job.tasks[effect.shard, effect.attempt]
                self.later(50, lambda: self._stopped(job, task))
            case Publish():
                upload = job.tasks[effect.shard, effect.attempt].uploads[effect.slot]
                upload.state = "working"
                self._publish(job, effect)
            case PublishRoot():
                root = job.roots[effect.slot]
                root.upload.state = "working"
                self.later(self.wire.chance.randint(*UPLOAD_MS), lambda: self._rooted(job, root))
            case ListInputs():
                job.listing = "working"
                self.later(self.wire.chance.randint(*RUN_MS), lambda: self._listed(job))
            case _:
                raise AssertionError(f"no effect of a compute node: {effect}")

    # APPEND

    def _append(self, job: DeskJob, effect: Append) -> None:
        bids = effect.kind is BidsPlaced
        demand(not (bids and self.draining), "who drains bids for nothing", f"{self.name} {job.id}")
        said = self.character.says(self, effect)
        job.sending = True
        if said is None:
            self.later(1_000, lambda: self._answered(job, self.write(effect), None))
            return
        written: list[AnyEvent] = []

        def answered(error: Exception | None) -> None:
            honest: AnyEvent = msgspec.structs.replace(written[0], data=effect.data)
            self._answered(job, honest, error)

        written.append(self.insist(said, answered))

    def _answered(self, job: DeskJob, event: AnyEvent, error: Exception | None) -> None:
        job.sending = False
        fact: Fact = event  # type: ignore[assignment]
        if error is None:
            acknowledge(job, fact)
        else:
            refused(job, fact)
        self._touch(job)

    # READ

    def _read(self, name: str) -> Orders:
        network = Network(self.dialect.codec)
        for record in self._records(name):
            network.fold(record)
        job = network.jobs.get(name)
        if job is None:
            return Orders(job=name, fence=0, decision="", closed=True)
        return all_owed(job, self.name)

    def _records(self, name: str) -> list[Record]:
        return self.wire.log.records((job_events(name),), limit=1_000_000)

    def _consult(self, job: DeskJob) -> None:
        if self.cut_off:
            self.later(500, lambda: self._consult(job))
            return
        # The fold of the log as it stands, which a restart makes anew: here it is only borrowed,
        # because reading a job for every doubt was a fifth of a simulation's time.
        same = self.dialect.codec is self.wire.codec
        folded = self.wire.folded(job.id) if same else None
        orders = self._read(job.id) if folded is None else all_owed(folded, self.name)

        def consulted() -> None:
            self._consulting.discard(job.id)
            job.doubt = False
            self.take(orders)

        self.soon(consulted)

    # RUN

    def _start_runs(self) -> None:
        while self.queue and len(self.busy) < self.capabilities.width:
            name, key = self.queue.popleft()
            job = self.desk.jobs.get(name)
            task = job.tasks.get(key) if job is not None else None
            if job is None or task is None or task.state != "queued":
                continue
            if job.spec is None:
                job.doubt = True
                self.later(100, lambda job=job, key=key: self._awarded(job, key))  # type: ignore[misc]
                continue
            running(task)
            self._run(job, task)

    def _run(self, job: DeskJob, task: Task) -> None:
        key = (job.id, (task.shard, task.attempt))
        self.busy.add(key)
        chance, faults = self.wire.chance, self.wire.faults
        takes_ms = self.run_ms or chance.randint(*RUN_MS)
        if self.wire.happens(faults.slow):
            takes_ms = chance.randint(*SLOW_MS)
        broken = self.wire.happens(faults.broken)

        def ended() -> None:
            self.busy.discard(key)
            if broken:
                failed(job, task, "io", "the disk is full")
            elif task.state == "running":
                claim = self.character.claims(self, job.id, task.shard)
                self.memory.claims[key] = claim
                finished(job, task, claim)
            self._touch(job)

        if takes_ms > ANNOUNCE_MS:
            self.later(ANNOUNCE_MS, lambda: self._announce(job, task))
        self.later(takes_ms, ended)

    def _announce(self, job: DeskJob, task: Task) -> None:
        announce(job, task)
        self._touch(job)

    def _stopped(self, job: DeskJob, task: Task) -> None:
        self.busy.discard((job.id, (task.shard, task.attempt)))
        failed(job, task, "cancelled", "stopped")
        self._touch(job)

    def _listed(self, job: DeskJob) -> None:
        if job.spec is not None:
            job.listed = inputs_of(job.spec)
        job.listing = "done"
        self._touch(job)

    # PUBLISH

    def _publish(self, job: DeskJob, effect: Publish) -> None:
        chance, faults = self.wire.chance, self.wire.faults
        takes_ms = self.upload_ms or chance.randint(*UPLOAD_MS)
        if self.wire.happens(faults.slow):
            takes_ms = chance.randint(*SLOW_MS)
        broken = self.wire.happens(faults.broken)
        pays_ms = self.pays_after_ms
        if pays_ms is None and chance.random() < 0.5:
            pays_ms = takes_ms // 2
        if effect.paid and not broken and pays_ms is not None:
            self._pay_in(pays_ms, job, effect)
        self.later(takes_ms, lambda: self._published(job, effect, broken=broken))

    def _pay_in(self, delay_ms: int, job: DeskJob, effect: Publish) -> None:
        """Pay after a delay; what pays is a process of its own, which may outlive this one."""
        assert job.spec is not None
        if effect.lookup or effect.claim is None:
            return
        key = (job.id, effect.shard, job.spec.publishers[effect.slot].driver)
        cid, life = effect.claim.cid, self.life
        outlives = self.wire.happens(self.wire.faults.orphan)
        self.services.in_flight.add(key)

        def pay() -> None:
            self.services.in_flight.discard(key)
            if self.life == life:
                self._store(job, effect)
            elif outlives:
                self.services.publish(key, self.name, cid)

        self.wire.steps.later(delay_ms, pay)

    def _store(self, job: DeskJob, effect: Publish) -> str:
        """Hand the result to the service, once in the life of an upload."""
        assert job.spec is not None
        upload = job.tasks[effect.shard, effect.attempt].uploads[effect.slot]
        driver = job.spec.publishers[effect.slot].driver
        key = (job.id, effect.shard, driver)
        if not upload.uri and effect.claim is not None:
            upload.cid, upload.size_bytes = effect.claim.cid, effect.claim.dag_size_bytes
            if effect.lookup:
                upload.uri = self.services.lookup(key) or ""
            else:
                upload.uri = self.services.publish(key, self.name, effect.claim.cid)
        return upload.uri

    def _published(self, job: DeskJob, effect: Publish, *, broken: bool) -> None:
        upload = job.tasks[effect.shard, effect.attempt].uploads[effect.slot]
        if effect.claim is None:
            upload.state, upload.code, upload.permanent = "failed", "gone", True
        elif broken or not self._store(job, effect):
            upload.state, upload.code = "failed", "unreachable"
            upload.unpaid = self._surely_unpaid(job, effect, broken=broken)
        else:
            upload.state = "done"
        job.due[effect.shard, effect.attempt] = None
        self._touch(job)

    def _rooted(self, job: DeskJob, root: RootTask) -> None:
        assert job.spec is not None
        upload = root.upload
        if self.breaks_roots or self.wire.happens(self.wire.faults.broken):
            upload.state, upload.code = "failed", "unreachable"
        else:
            driver = job.spec.publishers[root.slot].driver
            self.services.roots[job.id, driver] = root.cid
            upload.state, upload.cid, upload.uri = "done", root.cid, f"{driver}://{root.cid}"
        self._touch(job)

    def _surely_unpaid(self, job: DeskJob, effect: Publish, *, broken: bool) -> bool:
        """Whether this node had begun, and knows that nothing of it is left at the service."""
        assert job.spec is not None
        if broken:
            return effect.paid and not effect.lookup and self.wire.chance.random() < UNPAID_RATE
        upload = job.tasks[effect.shard, effect.attempt].uploads[effect.slot]
        key = (job.id, effect.shard, job.spec.publishers[effect.slot].driver)
        return effect.lookup and upload.begun and key not in self.services.in_flight


def capable(*, publishers: tuple[str, ...], width: int) -> Capabilities:
    """Return what a simulated node can do."""
    return Capabilities(
        roles=("compute",),
        engines=("noop",),
        publishers=publishers,
        cpu=8.0,
        memory_bytes=1 << 34,
        disk_bytes=1 << 40,
        width=width,
    )
