"""What is owed to one receiver: which event may be sent now, what was accepted, when to try again.

Plain bookkeeping without I/O, clock or chance. The events of a job form a lane, in which one is
sent at a time; an event that is not accepted holds up its lane and no other. A lane that failed is
*late*: its events are let go from memory, and when its time comes they are read from the log again,
from the last that was accepted. So a receiver that refuses one job for days costs one number, and
the others go on; only when `LATE_MAX` jobs are late no more is read from the log.

What outlives a crash is a position, up to which all was accepted, and for each late job a position
of its own (`standing`). Behind those, events may be sent twice, never left out.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from events.log import Record

IN_FLIGHT_MAX = 8
LATE_IN_FLIGHT_MAX = 4
"""So that late jobs, which may take long to fail again, leave room for the others."""
WINDOW_EVENTS = 512
WINDOW_BYTES = 4 * 1024 * 1024
"""What may wait in memory before no more is read; the batch that was read last comes on top."""
LATE_MAX = 64
HOLD_MS_MAX = 24 * 3_600_000
"""A receiver that asks for more than a day's rest gets a day."""


class Pace(msgspec.Struct, frozen=True):
    """How long to wait: after a failure, twice as long each time; and before giving up."""

    first_ms: int = 1_000
    longest_ms: int = 300_000
    give_up_ms: int = 5 * 24 * 3_600_000
    keep_up_ms: int = 20_000
    """How often the position is moved to the end of a log that has nothing for this webhook."""

    def pause_ms(self, tries: int, chance: float) -> int:
        """Return the pause after so many tries in vain; `chance`, 0 to 1, spreads them apart."""
        full_ms = min(self.longest_ms, self.first_ms << min(tries - 1, 30))
        return round(full_ms * (1 + chance) / 2)


class Send(NamedTuple):
    """Send an event; then comes `accepted` or `failed`. `tries` were made in vain."""

    job: str
    record: Record
    tries: int


class Read(NamedTuple):
    """Read what the log has of a job behind a position; then comes `refilled` or `postponed`."""

    job: str
    after: int


@dataclass(slots=True)
class _Lane:
    """One job. All up to `after` was accepted, all up to `known` is in `waiting` or was accepted.

    With `behind` there may be more on the log; `skipped` says that the feed passed some by since
    the log was last read for it.
    """

    after: int
    known: int
    waiting: deque[Record] = field(default_factory=deque)
    behind: bool = False
    skipped: bool = False
    busy: bool = False
    busy_late: bool = False
    tries: int = 0
    due_ms: int = 0
    failed_at: int = -1


class Book:
    """The books of one webhook, from a standing on; the caller feeds it what it asks for."""

    def __init__(
        self,
        position: int,
        late: Mapping[str, int],
        *,
        failing_since_ms: int | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.failing_since_ms = failing_since_ms
        """When the receiver failed first since it has accepted anything; None if it has not."""
        self.accepted_count = 0
        self.failed_count = 0
        self._pace = pace or Pace()
        self._fed = position
        self._lanes: dict[str, _Lane] = {}
        self._late: dict[str, _Lane] = {}
        self._ahead: set[str] = set()
        self._ready: dict[str, None] = {}
        self._resumed: dict[str, None] = {}
        self._busy = 0
        self._busy_late = 0
        self._events = 0
        self._bytes = 0
        self._hold_ms = 0
        for job, after in late.items():
            self._lanes[job] = self._late[job] = lane = _Lane(after, after)
            lane.behind = True

    # What comes in

    @property
    def room(self) -> bool:
        """Whether more of the log can be taken."""
        return (
            self._events < WINDOW_EVENTS
            and self._bytes < WINDOW_BYTES
            and len(self._late) < LATE_MAX
        )

    @property
    def fed(self) -> int:
        """How far the log has been taken."""
        return self._fed

    def feed(self, records: Sequence[tuple[str, Record]], upto: int) -> None:
        """Take the next events of the log, with the jobs that they are of; all up to `upto`."""
        for job, record in records:
            lane = self._lanes.get(job)
            if lane is None:
                before = record.position - 1
                lane = self._lanes[job] = _Lane(before, before)
            if lane.behind:
                lane.skipped = True
            elif record.position > lane.known:
                self._add(lane, record)
                lane.known = record.position
                self._queue(job, lane)
        self._fed = upto
        for job in [job for job in self._ahead if self._lanes[job].known <= upto]:
            self._ahead.discard(job)
            self._settle(job, self._lanes[job])

    def refilled(self, job: str, records: Sequence[Record], upto: int, *, complete: bool) -> None:
        """Take what the log has of a late job up to `upto`; `complete` when that is all of it."""
        lane = self._done(job)
        for record in records:
            self._add(lane, record)
        lane.known = max(upto, lane.after)
        lane.behind = not complete or lane.skipped
        self._settle(job, lane)

    def postponed(self, job: str, now_ms: int) -> None:
        """The log could not be read: the job is read again a little later."""
        self._done(job).due_ms = now_ms + self._pace.first_ms

    # What goes out

    def next(self, now_ms: int) -> Send | Read | None:
        """Return what is to be done now, and count it as under way; None if there is nothing."""
        if self._busy >= IN_FLIGHT_MAX or now_ms < self._hold_ms:
            return None
        if self._busy_late < LATE_IN_FLIGHT_MAX:
            if self._resumed:
                return self._send(self._resumed)
            for job, lane in self._late.items():
                if not lane.busy and not lane.waiting and lane.due_ms <= now_ms:
                    lane.skipped = False
                    return Read(job, self._begun(job).after)
        if self._ready and len(self._late) < LATE_MAX:
            return self._send(self._ready)
        return None

    def wake_ms(self) -> int | None:
        """Return when `next` may have something though nothing came in; None: not by itself."""
        if self._busy >= IN_FLIGHT_MAX:
            return None
        dues = []
        if self._busy_late < LATE_IN_FLIGHT_MAX:
            idle = (lane for lane in self._late.values() if not lane.busy)
            dues = [0 if lane.waiting else lane.due_ms for lane in idle]
        if self._ready and len(self._late) < LATE_MAX:
            dues.append(0)
        return max(min(dues), self._hold_ms) if dues else None

    # What came of it

    def accepted(self, job: str, now_ms: int) -> None:
        """The receiver has taken the event that was sent of a job."""
        lane = self._done(job)
        record = lane.waiting.popleft()
        self._events -= 1
        self._bytes -= len(record.body)
        lane.after = record.position
        lane.tries = 0
        for other in self._late.values():
            # It was down and is up again: who has failed only while it was down is tried at once.
            if other.failed_at == self.accepted_count:
                other.due_ms = min(other.due_ms, now_ms)
        self.accepted_count += 1
        self.failing_since_ms = None
        lane.due_ms = now_ms
        self._settle(job, lane)

    def failed(self, job: str, now_ms: int, *, chance: float, hold_ms: int = 0) -> int:
        """The receiver has not taken it; nothing at all is sent for `hold_ms`, if it asked so.

        Returns when the job's turn comes again.
        """
        lane = self._done(job)
        self._events -= len(lane.waiting)
        self._bytes -= sum(len(record.body) for record in lane.waiting)
        lane.waiting.clear()
        lane.known = lane.after
        if not lane.tries:
            lane.failed_at = self.accepted_count
        lane.tries += 1
        lane.behind = True
        lane.due_ms = now_ms + self._pace.pause_ms(lane.tries, chance)
        self._late[job] = lane
        self.failed_count += 1
        if self.failing_since_ms is None:
            self.failing_since_ms = now_ms
        if hold_ms:
            self._hold_ms = max(self._hold_ms, now_ms + min(hold_ms, HOLD_MS_MAX))
        return max(lane.due_ms, self._hold_ms)

    def hopeless(self, now_ms: int) -> bool:
        """Say whether the receiver has taken nothing for so long that it is given up."""
        since_ms = self.failing_since_ms
        return since_ms is not None and now_ms - since_ms >= self._pace.give_up_ms

    def standing(self) -> tuple[int, dict[str, int]]:
        """Return the position up to which all was accepted, but for late jobs: theirs are beside.

        Deliveries that begin here again leave nothing out.
        """
        position = self._fed
        for job, lane in self._lanes.items():
            if lane.waiting and job not in self._late:
                position = min(position, lane.waiting[0].position - 1)
        return position, {job: lane.after for job, lane in self._late.items()}

    # Lanes

    def _add(self, lane: _Lane, record: Record) -> None:
        lane.waiting.append(record)
        self._events += 1
        self._bytes += len(record.body)

    def _send(self, queue: dict[str, None]) -> Send:
        job = next(iter(queue))
        del queue[job]
        lane = self._begun(job)
        return Send(job, lane.waiting[0], lane.tries)

    def _begun(self, job: str) -> _Lane:
        lane = self._lanes[job]
        lane.busy = True
        lane.busy_late = job in self._late
        self._busy += 1
        self._busy_late += lane.busy_late
        return lane

    def _done(self, job: str) -> _Lane:
        lane = self._lanes[job]
        lane.busy = False
        self._busy -= 1
        self._busy_late -= lane.busy_late
        return lane

    def _queue(self, job: str, lane: _Lane) -> None:
        if not lane.busy:
            (self._resumed if job in self._late else self._ready)[job] = None

    def _settle(self, job: str, lane: _Lane) -> None:
        """Put a lane where it belongs when something has left it."""
        if lane.waiting:
            self._queue(job, lane)
            return
        if lane.busy:
            return
        lane.after = max(lane.after, lane.known)
        if not lane.behind:
            self._late.pop(job, None)
            if lane.known <= self._fed:
                del self._lanes[job]
            else:
                self._ahead.add(job)  # the feed will bring again what the lane knows
