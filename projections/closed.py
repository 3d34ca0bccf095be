"""The closed jobs as rows, by where they began: a list of jobs as of any position needs no fold.

Of a job that is open at a position the fold as of then has all; of one that was closed by then the
row does, as nothing in it changes any more. So each job is written once.
"""

from collections.abc import Iterator, Mapping

import msgspec

from events.entry import Entry
from events.log import Record
from projections.network import Network
from projections.read_model import Row
from projections.state import Job
from projections.tally import Tally
from projections.views import job_row

NAME = "closed"
DIGITS = 16
"""Of a position in a key: keys are in the order of positions."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class ClosedBody(msgspec.Struct, frozen=True, gc=False):
    """A row of `closed`: the position that closed the job, and its line in a list of jobs."""

    closed: int
    row: msgspec.Raw


class _Leaving(msgspec.Struct, frozen=True, gc=False):
    job: Job
    closed: int


Leaving = dict[str, _Leaving]


def key_of(first: int) -> str:
    """Return the key of the job whose first event is at this position."""
    return f"{first:0{DIGITS}}"


class Closed:
    """A read model (`projections.read_model`); `tally` counts what the fold has let go."""

    name = NAME
    version = 2

    def __init__(self) -> None:
        self.tally = Tally()
        self._network = Network()
        self._there: dict[str, None] = {}
        self._leaving: Leaving = {}

    @property
    def pending(self) -> int:
        return len(self._leaving)

    def leaving(self) -> list[str]:
        """Return the closed jobs that the network has still, in the order of their ends."""
        return [name for name in self._there if name in self._network.jobs]

    def begin(self, network: Network) -> None:
        self._begin(network, Tally())

    def restore(self, state: bytes, network: Network) -> None:
        self._begin(network, msgspec.json.decode(state, type=Tally))

    def _begin(self, network: Network, tally: Tally) -> None:
        self.tally = tally
        self._network = network
        self._there = {}
        self._leaving = {}

    def note(self, record: Record, entry: Entry | None, network: Network, *, stored: bool) -> None:
        tally = self.tally
        tally.count(entry)
        job = network.jobs.get(entry.address.job) if entry is not None else None
        if job is None or not job.closed:
            return
        if job.id in self._there:
            tally.late += 1  # as the network counts it once the job has left
            return
        self._there[job.id] = None
        tally.let_go(job)
        if not stored:
            self._leaving[key_of(job.first)] = _Leaving(job, record.position)

    def take(self) -> Leaving:
        taken, self._leaving = self._leaving, {}
        self._there = dict.fromkeys(self.leaving())
        return taken

    def reads(self, taken: Leaving) -> tuple[str, ...]:
        return ()

    def rows(self, taken: Leaving, stored: Mapping[str, bytes]) -> Iterator[Row]:
        for key, leaving in taken.items():
            row = msgspec.Raw(_encode(job_row(leaving.job)))
            yield key, _encode(ClosedBody(leaving.closed, row))

    def give_back(self, taken: Leaving) -> None:
        self._leaving = taken | self._leaving

    def state(self) -> bytes:
        return _encode(self.tally)
