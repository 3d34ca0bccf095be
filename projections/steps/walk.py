"""The walk: fold the log one message at a time and say of each what it did."""

from typing import Any

import msgspec

from events.entry import Entry, read_entry
from events.errors import EventError, NewerEvent
from events.log import Record
from events.subjects import NET, parse
from projections.steps.causes import Cause, Causes
from projections.steps.changes import Change, changes
from projections.steps.picture import picture, scope_of
from projections.summary import summary_of
from projections.travel import Travel


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One message and what it did.

    `foreign` says why it is no event of ours, `newer` that only a newer version of Lota knows it.
    Both are "" for what was folded. `after_ms` is the time since the event before, by their
    authors' clocks: below 0 when these disagree. `late` counts items that changed nothing any
    more, `illegal` names those skipped.
    """

    position: int
    subject: str
    id: str = ""
    time: str = ""
    time_ms: int = 0
    after_ms: int | None = None
    job: str = ""
    kind: str = ""
    author: str = ""
    role: str = ""
    summary: str = ""
    cause: Cause | None = None
    changes: tuple[Change, ...] = ()
    late: int = 0
    illegal: tuple[str, ...] = ()
    foreign: str = ""
    newer: str = ""

    def document(self) -> dict[str, Any]:
        """Return the step as a plain object; what does not apply is null."""
        cause = self.cause
        return {
            "position": self.position,
            "subject": self.subject,
            "id": self.id or None,
            "time": self.time or None,
            "after_ms": self.after_ms,
            "job": self.job or None,
            "type": self.kind or None,
            "author": self.author or None,
            "summary": self.summary or None,
            "cause": cause._asdict() if cause is not None else None,
            "changes": msgspec.to_builtins(self.changes),
            "late": self.late,
            "illegal": list(self.illegal),
            "foreign": self.foreign or None,
            "newer": self.newer or None,
        }


class Walk:
    """Folds as `travel` does and tells each step; `job` or `node` pick those that are told."""

    def __init__(self, travel: Travel, *, job: str = "", node: str = "") -> None:
        self._travel = travel
        self._job = job
        self._node = node
        self._named = f'"{node}"'.encode()
        self._causes = Causes()
        self._last_ms: int | None = None

    def take(self, record: Record) -> Step | None:
        """Fold the next message; return its step, or None when it is not one of those wanted."""
        try:
            entry = read_entry(record, self._travel.network.codec)
        except EventError as error:
            self._travel.fold(record)
            of_job = record.subject.split(".")[3:4] == [self._job]
            wanted = of_job if self._job else not self._node
            return _skipped(record, error) if wanted else None
        step = None
        if self._job and entry.address.job != self._job:
            self._travel.fold(record)
        else:
            step = self._step(record, entry)
        self._causes.note(entry)
        if step is None or not self._wanted(step, record):
            return None
        self._last_ms = entry.time_ms
        return step

    def _wanted(self, step: Step, record: Record) -> bool:
        """Whether it is by the node in question, names it, or changes what it has in hand."""
        return (
            not self._node
            or step.author == self._node
            or self._named in record.body
            or any(change.node == self._node for change in step.changes)
        )

    def _step(self, record: Record, entry: Entry) -> Step:
        travel, name = self._travel, entry.address.job
        scope = scope_of(entry, travel.network)
        before = picture(travel.network, name, scope)
        cause = self._causes.of(entry, travel.network.jobs.get(name))
        late, illegal = self._skipped(name)
        travel.advance(record)
        after = picture(travel.network, name, scope)
        late_now, illegal_now = self._skipped(name)
        step = Step(
            position=record.position,
            subject=record.subject,
            id=entry.event.id,
            time=entry.event.time,
            time_ms=entry.time_ms,
            after_ms=None if self._last_ms is None else entry.time_ms - self._last_ms,
            job="" if name == NET else name,
            kind=entry.address.kind,
            author=entry.address.author,
            role=entry.address.role,
            summary=summary_of(entry),
            cause=cause,
            changes=tuple(changes(before, after)),
            late=late_now - late,
            illegal=tuple(self._stories(entry, illegal_now - illegal)),
        )
        travel.let_go(entry)
        return step

    def _skipped(self, name: str) -> tuple[int, int]:
        """Return how many items were late and how many illegal, of a job or of the nodes."""
        network = self._travel.network
        if name == NET:
            return network.nodes.late, network.nodes.illegal
        job = network.jobs.get(name)
        return (network.late, 0) if job is None else (network.late + job.late, job.illegal)

    def _stories(self, entry: Entry, count: int) -> list[str]:
        job = self._travel.network.jobs.get(entry.address.job)
        if not count:
            return []
        if job is None:
            return [f"{entry.address.kind}: it is about no node that there is"]
        return [
            f"{story.item} in state {story.state}: {story.why}" for story in job.stories[-count:]
        ]


def _skipped(record: Record, error: EventError) -> Step:
    """Return the step of a message that the fold cannot take."""
    if not isinstance(error, NewerEvent):
        return Step(position=record.position, subject=record.subject, foreign=str(error))
    address = parse(record.subject)
    return Step(
        position=record.position,
        subject=record.subject,
        id=error.id,
        time=error.time,
        job="" if address.job == NET else address.job,
        kind=address.kind,
        author=address.author,
        role=address.role,
        newer=error.what,
    )
