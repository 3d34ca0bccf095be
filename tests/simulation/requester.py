"""A requester: its own fold of the log, and reading, deciding and appending as steps apart."""

from events.errors import WrongExpectedPosition
from events.items import Capabilities
from events.log import Record
from events.subjects import NET, decisions
from node.decide import decide
from node.decide.nodes import decide_nodes
from node.effects import Append, Command, Effect, WakeAt
from node.orders import Orders, fresh
from node.pacing import Nudges
from node.policy import Policy
from projections.base import begin
from projections.network import Network
from projections.state import Job
from tests.simulation.process import RETRY_MS, Process
from tests.simulation.wire import Wire


class Requester(Process):
    """Decides; everything it knows follows from the log and from heartbeats."""

    capabilities = Capabilities(roles=("requester",))

    def __init__(self, name: str, wire: Wire, policy: Policy) -> None:
        super().__init__(name, wire)
        self.policy = policy
        self.network = Network()
        self.conflicts = 0
        wire.on_growth(self._grown)
        wire.listeners[name] = self.hear

    def start(self) -> None:
        """Begin again with what the log begins with: it is all there is to know."""
        super().start()
        self.network = begin(self.wire.log._base, self.dialect.codec)
        self.closed: dict[str, Job] = {}
        self._under_way: dict[str, str] = {}
        self._wake_of: dict[str, int] = {}
        self._nudges = Nudges(self.policy.patience_ms)
        self._presence: dict[str, int] = {}
        self._reading = False
        self._ready = False
        self.join()
        self._grown()
        self.later(0, self._patrol_nodes)

    def reconnected(self) -> None:
        """Read what came meanwhile, also when nothing comes any more."""
        self._grown()

    # READ

    def _grown(self) -> None:
        if self.up and not self._reading:
            self._reading = True
            self.soon(self._read)

    def _read(self) -> None:
        self._reading = False
        if self.cut_off:
            return
        network = self.network
        base = self.wire.log._base
        if base is not None and network.position < base.position:
            self.crash()  # what it has not read is in the archive
            self.wire.steps.later(1, lambda: None if self.up else self.start())
            return
        limit = self.wire.chance.choice((1, 3, 1000)) if self._ready else 1000
        touched: dict[str, bool] = {}
        start = network.position
        for record in self.wire.log._records[start : start + limit]:
            self._fold(record, touched)
        caught_up = network.position >= self.wire.log.last_now()
        if not caught_up:
            self._grown()
        elif not self._ready:
            self._ready = True
            touched = dict.fromkeys(network.jobs, True)
        if self._ready:
            for name, patrol in touched.items():
                self.soon(lambda name=name, patrol=patrol: self._decide(name, patrol=patrol))  # type: ignore[misc]

    def _fold(self, record: Record, touched: dict[str, bool]) -> None:
        entry = self.network.fold(record)
        if entry is None:
            return
        name = entry.address.job
        if name == NET:
            touched.update(dict.fromkeys(self.network.jobs, True))
            return
        job = self.network.jobs.get(name)
        if job is None:
            return
        touched.setdefault(name, False)
        if self._under_way.get(name) == entry.event.id:
            del self._under_way[name]
        if entry.address.author == self.name and self._ready:
            for node, orders in fresh(job, entry).items():
                self._command(node, orders)
        if job.closed:
            self.closed[name] = job
            self.network.retire(name)

    # DECIDE

    def _decide(self, name: str, *, patrol: bool) -> None:
        job = self.network.jobs.get(name)
        if job is None or name in self._under_way:
            return
        now_ms = self.clock_ms()
        effects = decide(
            job, self.network.nodes, me=self.name, now_ms=now_ms, policy=self.policy, patrol=patrol
        )
        for effect in effects:
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Append():
                self._append(effect)
            case Command():
                due = not effect.nudge or self._nudges.may(
                    effect.node, effect.orders.job, self.clock_ms()
                )
                if due:
                    self._command(effect.node, effect.orders)
            case WakeAt():
                self._wake(effect.job, effect.ms)
            case _:
                raise AssertionError(f"no effect of a requester: {effect}")

    def _wake(self, job: str, ms: int) -> None:
        known = self._wake_of.get(job)
        if known is None or ms < known:
            self._wake_of[job] = ms
            self.later(max(1, ms - self.clock_ms()), lambda: self._woken(job, ms))

    def _woken(self, job: str, ms: int) -> None:
        if self._wake_of.get(job) == ms:
            del self._wake_of[job]
            self._decide(job, patrol=True)

    # APPEND

    def _append(self, effect: Append) -> None:
        event = self.write(effect)
        self._under_way[effect.job] = event.id

        def answered(error: Exception | None) -> None:
            if error is None or self._under_way.get(effect.job) != event.id:
                return
            del self._under_way[effect.job]
            if isinstance(error, WrongExpectedPosition):
                self.conflicts += 1
                if effect.job == NET:
                    self._find_fence_of_nodes()
            self._grown()
            self._wake(effect.job, self.clock_ms() + RETRY_MS)

        self.soon(lambda: self.send(effect, event, answered))

    def _find_fence_of_nodes(self) -> None:
        """Take up the nodes' fence anew if the decision that it names was archived."""
        last = self.wire.log.last_now(decisions(NET))
        if last <= self.network.position:
            self.network.nodes.fence = last

    # SEND

    def _command(self, node: str, orders: Orders) -> None:
        receiver = self.wire.processes.get(node)
        if receiver is not None:
            self.wire.tell(self, node, lambda: receiver.take(orders), _kind(orders))

    # Nodes

    def hear(self, node: str) -> None:
        """Note a heartbeat; tell a node that was given up on."""
        self._presence[node] = self.clock_ms()
        member = self.network.nodes.members.get(node)
        if member is not None and member.state == "lost":
            life = member.incarnation
            self.wire.tell(self, node, lambda: self.wire.processes[node].lost(life))

    def _patrol_nodes(self) -> None:
        nodes = self.network.nodes
        now_ms = self.clock_ms()
        for name in nodes.members:
            self._presence.setdefault(name, now_ms)
        if self._ready:
            self._under_way.pop(NET, None)
            for effect in decide_nodes(
                nodes, self._presence, me=self.name, now_ms=now_ms, policy=self.policy
            ):
                self._perform(effect)
        self.later(2_000, self._patrol_nodes)


def _kind(orders: Orders) -> str:
    """Return a word for what orders are about, the most telling first."""
    for kind in ("stop", "publish", "reveal", "run", "offers"):
        if getattr(orders, kind):
            return kind
    return "closed" if orders.closed else "list"
