"""The state of the network, of a node or of a job as it was at a point of the log.

The fold is the live one (`projections.network`), stopped at that point. What a long log needs
besides is to let closed jobs go, and to keep count of them.
"""

from collections import Counter
from typing import Any

from events.codec import PRESENT, Codec
from events.commitment import execution_id
from events.entry import Entry
from events.log import Record
from events.times import rfc3339
from projections.network import Network
from projections.newer import newer_view
from projections.nodes import Node
from projections.state import OPEN, TERMINAL, Job
from projections.tally import Tally
from projections.views import job_row, judged_node_view


class Travel:
    """The fold of a log as far as it was told.

    A closed job becomes its row in `closed` if `list_closed`, and a number in `tally`;
    `keep` names one job that stays whole. `network` is what the log begins with
    (`projections.base.begin`), if its beginning was archived, or a fold of what came before, which
    `tally` goes with.
    """

    def __init__(
        self,
        network: Network | None = None,
        *,
        list_closed: bool = False,
        keep: str = "",
        codec: Codec = PRESENT,
        tally: Tally | None = None,
    ) -> None:
        self.network = network or Network(codec)
        self.tally = tally or Tally()
        self.closed: list[dict[str, Any]] = []
        self._list_closed = list_closed
        self._keep = keep

    def fold(self, record: Record) -> Entry | None:
        """Fold the next message; return its entry, or None when it is no event of ours."""
        entry = self.advance(record)
        self.let_go(entry)
        return entry

    def advance(self, record: Record) -> Entry | None:
        """Fold the next message and keep the job that it closes, until `let_go`."""
        entry = self.network.fold(record)
        self.tally.count(entry)
        return entry

    def let_go(self, entry: Entry | None) -> None:
        """Let the job go that an event has closed."""
        job = self.network.jobs.get(entry.address.job) if entry is not None else None
        if job is None or not job.closed or job.id == self._keep:
            return
        self.tally.let_go(job)
        if self._list_closed:
            self.closed.append(job_row(job))
        self.network.retire(job.id)


def network_view(travel: Travel) -> dict[str, Any]:
    """Return the whole network: counts, jobs by state, what waits, and its nodes.

    `shards` and `waits` are of the jobs that are open. `waits` counts jobs that wait for their
    plan, and shards that wait for a node, for a verdict and to be published.
    """
    network, tally = travel.network, travel.tally
    jobs = list(network.jobs.values())
    ended = Counter(tally.ended)
    states = ended + Counter(job.state for job in jobs)
    return {
        "position": network.position,
        "time": _time(travel),
        "events": {
            "folded": tally.events,
            "late": tally.late + network.late + network.nodes.late + sum(j.late for j in jobs),
            "illegal": tally.illegal + network.nodes.illegal + sum(j.illegal for j in jobs),
            "foreign": network.foreign,
            "newer": sum(skipped.count for skipped in network.newer.values()),
        },
        "newer": newer_view(network.newer),
        "jobs": {
            **{state: states[state] for state in ("submitted", "running", *sorted(TERMINAL))},
            "closed": ended.total(),
        },
        "shards": dict(sorted(Counter(s.state for job in jobs for s in job.shards).items())),
        "waits": {
            "plan": sum(1 for job in jobs if job.state == "submitted"),
            "node": sum(len(job.placing) for job in jobs),
            "verdict": sum(len(job.judging) for job in jobs),
            "publication": sum(len(job.publishing) for job in jobs),
        },
        "open": [job_row(job) for job in jobs],
        "closed": travel.closed,
        "nodes": [
            {
                **judged_node_view(node),
                "executions": sum(job.load.get(node.name, 0) for job in jobs),
            }
            for node in network.nodes.members.values()
        ],
    }


def node_state_view(travel: Travel, node: Node) -> dict[str, Any]:
    """Return one node: what it is, what it has in hand, and which offers it has yet to answer."""
    jobs = list(travel.network.jobs.values())
    return {
        "position": travel.network.position,
        "time": _time(travel),
        **judged_node_view(node),
        "executions": [held for job in jobs for held in _executions(job, node.name)],
        "publishing": [slot for job in jobs for slot in _slots(job, node.name)],
        "unanswered": [
            {"job": job.id, "offer": number, "until": rfc3339(offer.until_ms)}
            for job in jobs
            for number, offer in enumerate(job.offers)
            if node.name in offer.nodes
            and node.name not in offer.bids
            and node.name not in offer.declines
            and job.state not in TERMINAL
        ],
    }


def _executions(job: Job, node: str) -> list[dict[str, Any]]:
    if not job.load.get(node):
        return []
    return [
        {
            "id": execution_id(job.id, index, attempt),
            "job": job.id,
            "state": execution.state,
            "awarded_at": rfc3339(execution.awarded_ms),
            "until": rfc3339(execution.until_ms),
        }
        for index, shard in enumerate(job.shards)
        for attempt, execution in enumerate(shard.executions)
        if execution.node == node and execution.state in OPEN
    ]


def _slots(job: Job, node: str) -> list[dict[str, Any]]:
    return [
        {
            "job": job.id,
            "shard": index,
            "publisher": job.spec.publishers[number].driver,
            "state": slot.state,
            "until": rfc3339(slot.until_ms),
        }
        for index in sorted(job.publishing)
        for number, slot in sorted(job.shards[index].slots.items())
        if slot.state in ("assigned", "started", "looking")
        and job.shards[index].executions[slot.attempt].node == node
    ]


def _time(travel: Travel) -> str | None:
    return rfc3339(travel.tally.time_ms) if travel.tally.time_ms else None
