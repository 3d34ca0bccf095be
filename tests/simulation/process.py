"""What every simulated process has: lives that end in crashes, a clock of its own, and a wire."""

from collections.abc import Callable
from typing import Any, cast

from events.codec import WRITERS, AnyEvent
from events.entry import role_of
from events.errors import WrongExpectedPosition
from events.facts import (
    NodeDrained,
    NodeDrainedData,
    NodeJoined,
    NodeJoinedData,
    NodeLeft,
    NodeLeftData,
)
from events.items import Capabilities
from events.log import Expect
from events.requests import JobSubmitted
from events.subjects import NET, decisions, requests, subject
from events.times import rfc3339
from node.effects import Append
from node.orders import Orders
from tests.simulation.dialects import TODAY
from tests.simulation.steps import EPOCH_MS, Action
from tests.simulation.wire import Answer, Wire

BEAT_MS = 2_500
RETRY_MS = 500
LEAVE_MS = 2_000


class Process:
    """One process of the network. What it schedules dies with the life it was scheduled in."""

    capabilities = Capabilities(roles=())

    def __init__(self, name: str, wire: Wire) -> None:
        self.name = name
        self.wire = wire
        self.life = 0
        self.up = False
        self.cut_off = False
        self.draining = False
        self.hung_until_ms = 0
        self.offset_ms = 0
        self.drift = 0.0
        self.incarnation = ""
        self.dialect = TODAY
        wire.processes[name] = self

    def clock_ms(self) -> int:
        """Return what this process takes for the time."""
        now_ms = self.wire.steps.now_ms
        return EPOCH_MS + self.offset_ms + now_ms + int(now_ms * self.drift)

    # Lives

    def start(self) -> None:
        """Begin a life."""
        self.life += 1
        self.up = True
        self.draining = False
        self.incarnation = f"{self.name}-{self.life}"
        self._beat(self.life)

    def crash(self) -> None:
        """End a life; only what is durable outlives it."""
        self.up = False
        self.life += 1

    def later(self, delay_ms: int, action: Action) -> None:
        """Do something after a delay, in this life only; a process that hangs does it later."""
        life = self.life

        def step() -> None:
            if self.life != life:
                return
            wait_ms = self.hung_until_ms - self.wire.steps.now_ms
            if wait_ms > 0:
                self.wire.steps.later(wait_ms, step)
            else:
                action()

        self.wire.steps.later(delay_ms, step)

    def soon(self, action: Action) -> None:
        """Do something after the moment that a turn takes."""
        self.later(self.wire.chance.randint(0, 5), action)

    def reconnected(self) -> None:
        """Go on where the line was cut; only requesters follow the log."""

    # Being there

    def join(self, holds: tuple[str, ...] = ()) -> None:
        """Append that this process is there, with the same id until the log has answered."""
        data = NodeJoinedData(
            incarnation=self.incarnation, capabilities=self.capabilities, holds=holds
        )
        self.insist(Append(job=NET, kind=NodeJoined, data=data, cause=""), lambda _: self.joined())

    def joined(self) -> None:
        """Go on from the log's word that this process is there; what drains says so again."""
        if self.draining:
            self._say_draining()

    def drain(self, incarnation: str) -> None:
        """Take no new work until the next start, and say so, when it is this life that is asked."""
        if incarnation == self.incarnation and not self.draining:
            self.draining = True
            self._say_draining()

    def _say_draining(self) -> None:
        data = NodeDrainedData(incarnation=self.incarnation)
        self.insist(Append(job=NET, kind=NodeDrained, data=data, cause=""), lambda _: None)

    def leave(self, then: Action) -> None:
        """Say once that this life ends, and end it whether or not that was heard."""

        def end() -> None:
            self.crash()
            then()

        data = NodeLeftData(incarnation=self.incarnation)
        effect = Append(job=NET, kind=NodeLeft, data=data, cause="")
        self.send(effect, self.write(effect), lambda _: None)
        self.later(self.wire.chance.randint(0, LEAVE_MS), end)

    def lost(self, incarnation: str) -> None:
        """Join again when it is this life that was given up on."""
        if incarnation == self.incarnation:
            self.incarnation += "+"
            self.join(self.holds())

    def holds(self) -> tuple[str, ...]:
        """Return the executions that this process has in hand."""
        return ()

    def take(self, orders: Orders) -> None:
        """Take orders; only compute nodes get any."""

    def _beat(self, life: int) -> None:
        """Send heartbeats as long as this life lasts, also while the process hangs."""
        if self.life == life:
            for name, hear in self.wire.listeners.items():
                if name != self.name:
                    self.wire.tell(self, name, lambda hear=hear: hear(self.name))  # type: ignore[misc]
            self.wire.steps.later(BEAT_MS, lambda: self._beat(life))

    # Appending

    def insist(self, effect: Append, then: Callable[[Exception | None], None]) -> AnyEvent:
        """Append an event, again with the same id until the log has accepted or refused it."""
        event = self.write(effect)

        def answered(error: Exception | None) -> None:
            if error is not None and not isinstance(error, WrongExpectedPosition):
                self.later(RETRY_MS, lambda: self.send(effect, event, answered))
            else:
                then(error)

        self.send(effect, event, answered)
        return event

    def write(self, effect: Append) -> AnyEvent:
        """Return the event that an effect asks for, with an id and this process's time."""
        name = self.wire.new_id()
        return effect.kind(
            id=name,
            source=f"/lota/{WRITERS[effect.kind]}/{self.name}",
            subject=effect.job,
            time=rfc3339(self.clock_ms()),
            causationid=effect.cause or name,
            data=cast("Any", effect.data),
        )

    def send(self, effect: Append, event: AnyEvent, then: Answer) -> None:
        """Send an event to the log; the answer comes in this life, or never."""
        life = self.life
        expect = None
        if effect.fence is not None:
            fence = requests if isinstance(event, JobSubmitted) else decisions
            expect = Expect(fence(effect.job), effect.fence)
        kind, body = self.dialect.say(event)
        name = subject(effect.job, role_of(event), self.name, kind)

        def answered(error: Exception | None) -> None:
            if self.life == life:
                self.later(0, lambda: then(error))

        self.wire.append(self, name, body, event.id, expect, answered)
