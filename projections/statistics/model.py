"""The read model `statistics`: a row for each bucket that something happened in."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from events.entry import Entry
from events.log import Record
from projections.network import Network
from projections.read_model import Row
from projections.statistics.bucket import Bucket, decode, encode
from projections.statistics.classes import Classes
from projections.statistics.fold import SECOND_MS, Fold
from projections.statistics.levels import LEVELS, key
from projections.statistics.open_jobs import Kept, kept_of, restored
from projections.statistics.pending import Counted, kept

NAME = "statistics"
VERSION = 2
"""Raise it when something else is counted than before, or rows or the state have another shape."""


class Taken(NamedTuple):
    """What is to be put to the rows; between the two times, old rows have to go."""

    counted: Counted
    before_s: int
    now_s: int


class _State(msgspec.Struct):
    clock_ms: int
    jobs: dict[str, Kept]
    classes: list[str]


class Statistics:
    """Implements `projections.read_model.ReadModel`."""

    name = NAME
    version = VERSION

    def __init__(self) -> None:
        self._fold = Fold(Network())
        self._swept_s = 0
        self._counted_already = False

    @property
    def pending(self) -> int:
        return len(self._fold.pending)

    @property
    def time_ms(self) -> int:
        """The newest time that was counted at, in ms since the Unix epoch; 0 before any event."""
        return self._fold.clock_ms

    def begin(self, network: Network) -> None:
        self._fold = Fold(network)
        self._swept_s = 0
        self._counted_already = False

    def restore(self, state: bytes, network: Network) -> None:
        found = msgspec.json.decode(state, type=_State)
        if found.jobs.keys() != network.jobs.keys():
            raise ValueError("the statistics are of other jobs than the fold")
        self.begin(network)
        fold = self._fold
        fold.jobs = {name: restored(network.jobs[name], kept) for name, kept in found.jobs.items()}
        fold.classes = Classes(found.classes)
        fold.resume(found.clock_ms)
        self._swept_s = found.clock_ms // SECOND_MS

    def note(self, record: Record, entry: Entry | None, network: Network, *, stored: bool) -> None:
        fold = self._fold
        if self._counted_already and not stored:
            self._drop()
        fold.note(record, entry, network)
        if stored:
            self._counted_already = True
            if len(fold.pending):
                fold.forget()

    def _drop(self) -> None:
        """Forget what was only told again; the rows were swept when it was told first."""
        self._fold.forget()
        self._swept_s = self._fold.clock_ms // SECOND_MS
        self._counted_already = False

    def take(self) -> Taken:
        if self._counted_already:
            self._drop()
        self._fold.seal()
        before_s, self._swept_s = self._swept_s, self._fold.clock_ms // SECOND_MS
        return Taken(self._fold.pending.take(), before_s, self._swept_s)

    def reads(self, taken: Taken) -> Iterator[str]:
        for (level, start), _ in kept(taken.counted, taken.now_s):
            if start <= level.start(taken.before_s):
                yield key(level, start)

    def rows(self, taken: Taken, stored: Mapping[str, bytes]) -> Iterator[Row]:
        for (level, start), bucket in kept(taken.counted, taken.now_s):
            name = key(level, start)
            whole = decode(stored[name]) if name in stored else Bucket()
            whole.add(bucket)
            yield name, encode(whole)
        for level in LEVELS:
            for start in level.gone(taken.before_s, taken.now_s):
                yield key(level, start), None

    def give_back(self, taken: Taken) -> None:
        self._fold.pending.give_back(taken.counted)
        self._swept_s = taken.before_s

    def state(self) -> bytes:
        fold = self._fold
        jobs = {name: kept_of(job) for name, job in fold.jobs.items()}
        return msgspec.json.encode(_State(fold.clock_ms, jobs, sorted(fold.classes.known)))
