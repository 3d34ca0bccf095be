"""How each node has fared in the jobs that have ended: those it bid for, and what it failed."""

from collections.abc import Iterator, Mapping

import msgspec

from events.entry import Entry
from events.log import Record
from projections.network import Network
from projections.read_model import Row
from projections.state import TERMINAL, Job, Mutable

FAILED = ("failed", "lost")


class TrackRecord(Mutable):
    """One node's. A job that it bid for is `won` if it was awarded an execution of it, else `lost`;
    `declined` if it only refused. `failed` counts executions that it failed or was lost with.
    """

    won: int = 0
    lost: int = 0
    declined: int = 0
    failed: int = 0


class TrackRecords:
    """A read model (`projections.read_model`) without rows: it is small, and all of it is state.

    `of` has the record of each node by its name.
    """

    name = "track_records"
    version = 1
    pending = 0

    def __init__(self) -> None:
        self.of: dict[str, TrackRecord] = {}
        self._open: set[str] = set()

    def begin(self, network: Network) -> None:
        self._begin(network, {})

    def restore(self, state: bytes, network: Network) -> None:
        self._begin(network, msgspec.json.decode(state, type=dict[str, TrackRecord]))

    def _begin(self, network: Network, of: dict[str, TrackRecord]) -> None:
        self.of = of
        self._open = {job.id for job in network.jobs.values() if job.state not in TERMINAL}

    def note(self, record: Record, entry: Entry | None, network: Network, *, stored: bool) -> None:
        job = network.jobs.get(entry.address.job) if entry is not None else None
        if job is None:
            return
        if job.first == record.position:
            self._open.add(job.id)
        if job.state in TERMINAL and job.id in self._open:
            self._open.discard(job.id)
            self._ended(job)

    def _ended(self, job: Job) -> None:
        bid: set[str] = set()
        declined: set[str] = set()
        for offer in job.offers:
            bid.update(offer.bids)
            declined.update(offer.declines)
        for node in bid:
            # A node that was ever awarded something has a load, of 0 in the end.
            if node in job.load:
                self._record(node).won += 1
            else:
                self._record(node).lost += 1
        for node in declined - bid:
            self._record(node).declined += 1
        for shard in job.shards:
            for execution in shard.executions:
                if execution.state in FAILED:
                    self._record(execution.node).failed += 1

    def _record(self, node: str) -> TrackRecord:
        return self.of.setdefault(node, TrackRecord())

    def take(self) -> None:
        """There is nothing that a row would hold."""

    def reads(self, taken: None) -> tuple[str, ...]:
        return ()

    def rows(self, taken: None, stored: Mapping[str, bytes]) -> Iterator[Row]:
        return iter(())

    def give_back(self, taken: None) -> None:
        """Nothing was taken."""

    def state(self) -> bytes:
        return msgspec.json.encode(self.of, order="sorted")
