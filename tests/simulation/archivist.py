"""A world in which somebody archives the log again and again, whatever else befalls it."""

from events.log import Base, Record
from projections.base import begin, encode_base
from projections.network import Network
from tests.simulation.checker import demand
from tests.simulation.world import Plan, World, fold

KEPT_MS = 30_000
"""What is younger stays: an append may arrive so late, and a job must not be submitted again."""


class ArchivedWorld(World):
    """Archives what it can each second, from base to base; `archives` counts how often."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.archives = 0
        self._stored_ms: list[int] = []
        self.wire.stored = self._stored

    def _stored(self, record: Record) -> None:
        self._stored_ms.append(self.steps.now_ms)
        self.checker.stored(record)

    def _trouble(self) -> None:
        super()._trouble()
        if self.chance.random() < 0.3:
            self._archive()

    def _archive(self) -> None:
        log = self.wire.log
        before = log._base
        gone = before.position if before is not None else 0
        firsts = [job.first for job in self.checker.network.jobs.values()]
        cut = min([log.last_now(), *firsts]) - 1
        while cut > gone and self._stored_ms[cut - 1] > self.steps.now_ms - KEPT_MS:
            cut -= 1
        if cut <= gone:
            return
        network = begin(before)
        for record in log._records[gone:cut]:
            fold_one(network, record)
        log.archive(Base(cut, encode_base(network)))
        self.archives += 1

    def _heal(self) -> None:
        super()._heal()
        for requester in self.requesters:
            requester._grown()  # nothing more may come that would wake it

    def _compare(self) -> None:
        """Compare every fold with that of the whole log; closed jobs may be in the archive."""
        whole, closed = fold(self.wire)
        base = self.wire.log._base
        for requester in self.requesters:
            network = requester.network
            network.nodes.fence = whole.nodes.fence
            known = {name: closed[name] for name in requester.closed}
            same = (network.nodes, network.jobs, requester.closed) == (
                whole.nodes,
                whole.jobs,
                known,
            )
            demand(same, "every fold is the fold of the log", requester.name)
        anew = begin(base)
        for record in self.wire.log._records[anew.position :]:
            fold_one(anew, record)
        anew.nodes.fence = whole.nodes.fence
        same = (anew.position, anew.nodes, anew.jobs) == (whole.position, whole.nodes, whole.jobs)
        demand(same, "a fold from the base is that of the whole", str(anew.position))


def fold_one(network: Network, record: Record) -> None:
    """Fold a message, and let the job go that it closes."""
    entry = network.fold(record)
    job = network.jobs.get(entry.address.job) if entry is not None else None
    if job is not None and job.closed:
        network.retire(job.id)
