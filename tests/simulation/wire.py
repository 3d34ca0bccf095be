"""Between the processes: the log's connection and the bus, and all that can befall a message."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from events.codec import PRESENT
from events.errors import AppendTimeout, WrongExpectedPosition
from events.log import Expect, Record
from events.memory import MemoryLog
from projections.state import Job
from tests.simulation.faults import Faults
from tests.simulation.steps import Steps

if TYPE_CHECKING:
    from tests.simulation.process import Process

Answer = Callable[[Exception | None], None]
Fate = Callable[[str, str], list[int] | None]
"""What befalls a message, by its sender or receiver and its kind: the delays at which it arrives,
[] if it never does, None to let chance decide."""
TIMEOUT_MS = 3_000
DEDUPE_MS = 8_000


class Wire:
    """Delivers, or fails to. `stored` is called with every record, before anyone can read it.

    `codec` is that of the newest version in the network, by which it is looked at from outside.
    """

    def __init__(self, chance: Random, faults: Faults, steps: Steps) -> None:
        self.chance = chance
        self.faults = faults
        self.steps = steps
        self.log = MemoryLog(dedupe_window_ms=DEDUPE_MS)
        self.codec = PRESENT
        self.replicated = chance.random() < 0.5
        self.processes: dict[str, Process] = {}
        self.stored: Callable[[Record], None] = lambda _: None
        self.folded: Callable[[str], Job | None] = lambda _: None
        self.fate: Fate = lambda _, __: None
        self.listeners: dict[str, Callable[[str], None]] = {}
        self._ids = 0
        self._readers: list[Callable[[], None]] = []

    def new_id(self) -> str:
        """Return an id for an event."""
        self._ids += 1
        return f"E{self._ids:06d}"

    def happens(self, rate: float) -> bool:
        """Draw whether a fault happens."""
        return rate > 0.0 and self.chance.random() < rate

    def delay_ms(self) -> int:
        """Draw how long a message is on its way."""
        if self.happens(self.faults.delayed):
            return self.chance.randint(100, 12_000)
        return self.chance.randint(1, 8)

    def append(
        self,
        sender: "Process",
        subject: str,
        body: bytes,
        id: str,
        expect: Expect | None,
        then: Answer,
    ) -> None:
        """Send an append; it may take effect and not be answered, or be answered late."""
        answered = False

        def answer(error: Exception | None) -> None:
            nonlocal answered
            if not answered:
                answered = True
                then(error)

        def arrive() -> None:
            error = self.store(subject, body, id, expect)
            if not sender.cut_off and not self.happens(self.faults.lost):
                self.steps.later(self.delay_ms(), lambda: answer(error))

        fate = self.fate(sender.name, ".".join(subject.split(".")[-2:]))
        if fate is not None:
            for delay_ms in fate:
                self.steps.later(delay_ms, arrive)
        elif not sender.cut_off and not self.happens(self.faults.lost):
            self.steps.later(self.delay_ms(), arrive)
            if self.happens(self.faults.repeated):
                again_ms = self.chance.choice((5, 500, 2 * DEDUPE_MS))
                self.steps.later(again_ms, lambda: self._again(subject, body, id, expect))
        self.steps.later(TIMEOUT_MS, lambda: answer(AppendTimeout("no answer")))

    def _again(self, subject: str, body: bytes, id: str, expect: Expect | None) -> None:
        self.store(subject, body, id, expect)

    def store(
        self, subject: str, body: bytes, id: str, expect: Expect | None = None
    ) -> Exception | None:
        """Let an append take effect; return the error of one that the fence refuses."""
        before = len(self.log._records)
        try:
            position = self.log.append_now(
                subject, body, id=id, expect=expect, now_ms=self.steps.now_ms
            )
        except WrongExpectedPosition as conflict:
            return None if self.replicated and id in self.log._ids else conflict
        if position > before:
            self.stored(self.log._records[-1])
            for wake in self._readers:
                wake()
        return None

    def on_growth(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever the log has grown."""
        self._readers.append(wake)

    def tell(
        self, sender: "Process", to: str, take: Callable[[], None], kind: str = "beat"
    ) -> None:
        """Send a message that nobody answers, to be taken if it arrives."""
        if sender.cut_off:
            return
        receiver = self.processes.get(to)
        if receiver is None:
            return
        fate = self.fate(to, kind)
        if fate is not None:
            for delay_ms in fate:
                self.steps.later(delay_ms, lambda: self._arrive(receiver, take))
            return
        copies = 2 if self.happens(self.faults.repeated) else 1
        for _ in range(copies):
            if not self.happens(self.faults.lost):
                self.steps.later(self.delay_ms(), lambda: self._arrive(receiver, take))

    def _arrive(self, receiver: "Process", take: Callable[[], None]) -> None:
        if receiver.up and not receiver.cut_off:
            receiver.later(0, take)
