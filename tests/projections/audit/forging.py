"""A log as honest processes write it, to be forged by hand.

A forgery here is that of a good forger: all decisions behind it are sealed anew, so that what the
audit finds is the forged event itself and not that something was changed.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from events.codec import KINDS, AnyEvent, decode, encode
from events.decisions import Decision
from events.entry import role_of
from events.errors import EventError
from events.log import Record
from events.seal import EMPTY, extend
from events.subjects import NET, partition, subject
from projections.audit import WHOLE, Audit, Finding, Report, Scope
from tests.simulation.stage import JOB, LINKED, Stage

TO_JOB = 3
"""The dots of a subject before its job and behind it."""
FORGED = "F"
"""The ids of inserted events begin so."""
replace = msgspec.structs.replace


def honest(**job: Any) -> "Forged":
    """Return the log of a network that runs one job; `job` is as Stage submits it."""
    stage = Stage(nodes=4)
    stage.open()
    stage.submit(**{"replicas": 2, "shards": 2, "publishers": (LINKED,), **job})
    stage.play()
    return Forged(stage.wire.log._records)


class Message(msgspec.Struct):
    """One message; `saw` is the last one of its job that a decision has seen."""

    subject: str
    body: bytes
    saw: "Message | None" = None

    @property
    def job(self) -> str:
        return self.subject.split(".", 4)[3] if self.subject.count(".") > TO_JOB else ""

    @property
    def decision(self) -> bool:
        try:
            return isinstance(self.event, Decision)
        except EventError:
            return False

    @property
    def event(self) -> AnyEvent:
        return decode(self.body)


class Forged:
    """Messages in order, what can be done to them, and the audit of what comes of it."""

    def __init__(self, records: list[Record]) -> None:
        self.messages = [Message(record.subject, record.body) for record in records]
        for message in self.messages:
            event = message.event
            if message.job == JOB and isinstance(event, Decision) and event.data.seen:
                message.saw = self._of_job()[event.data.seen - 1]

    def find(self, kind: str, nth: int = 0) -> int:
        """Return where the nth message of a kind stands."""
        found = [n for n, m in enumerate(self.messages) if m.subject.endswith(f".{kind}")]
        return found[nth]

    def change(self, kind: str, change: Callable[[Any], Any], nth: int = 0) -> None:
        """Put other data in the place of an event's."""
        message = self.messages[self.find(kind, nth)]
        event: Any = message.event
        message.body = encode(replace(event, data=change(event.data)))
        self.seal()

    def insert(self, at: int, message: Message) -> None:
        """Let a message stand at an index, as what was decided just there if it is a decision."""
        before = [m for m in self.messages[:at] if m.job == JOB]
        self.messages.insert(at, message)
        message.saw = before[-1] if before else None
        self.seal()

    def tell(
        self, at: int, author: str, kind: type[AnyEvent], data: Any, *, job: str = JOB
    ) -> Message:
        """Insert an event of an author; its time is that of the event before it."""
        event: Any = kind(
            id=f"{FORGED}{len(self.messages)}",
            source="",
            subject=job,
            time=self.messages[at - 1].event.time,
            causationid=FORGED,
            data=data,
        )
        role = role_of(event)
        body = encode(replace(event, source=f"/lota/{role}/{author}"))
        message = Message(subject(job, role, author, KINDS[kind]), body)
        self.insert(at, message)
        return message

    def seal(self) -> None:
        """Let each decision of the job seal what it has seen, as the messages are now."""
        seals: dict[int, tuple[int, str]] = {0: (0, EMPTY.hex())}
        seal, nodes, seen = EMPTY, {0: 0}, 0
        events_of_nodes = 0
        for message in self.messages:
            events_of_nodes += message.job == NET
            if message.job != JOB:
                continue
            if message.decision:
                self._seal(message, seals, nodes)
            seen += 1
            seal = extend(seal, message.subject, message.body)
            seals[id(message)] = seen, seal.hex()
            nodes[id(message)] = events_of_nodes

    def _seal(
        self, message: Message, seals: dict[int, tuple[int, str]], nodes: dict[int, int]
    ) -> None:
        event: Any = message.event
        saw = id(message.saw) if message.saw is not None else 0
        seen, seal = seals.get(saw, seals[0])
        data = replace(event.data, seen=seen, seal=seal)
        if event.id.startswith(FORGED) and not data.members:
            data = replace(data, members=nodes.get(saw, 0))
        message.body = encode(replace(event, data=data))

    def audit(self, scope: Scope = WHOLE) -> Report:
        """Audit the messages as a log."""
        audit = Audit(scope)
        for position, message in enumerate(self.messages, 1):
            audit.take(Record(position, message.subject, message.body))
        return audit.finish()

    def finding(self) -> Finding:
        """Return the first thing that the audit finds; others may follow from it."""
        return self.audit().findings[0]

    def _of_job(self) -> list[Message]:
        return [message for message in self.messages if message.job == JOB]


def place(job: str, role: str, author: str, kind: str) -> str:
    """Return a subject of the grammar, whoever may write there."""
    return f"lota.ev.{partition(job)}.{job}.{role}.{author}.{kind}"


__all__ = ["JOB", "Forged", "Message", "honest", "place", "replace"]
