"""Hold each decision against what its author knew, and tell which items the fold would not take."""

from typing import Any

from events.codec import KINDS, AnyEvent
from events.decisions import (
    ExecutionsLost,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobPlanned,
    NodeLost,
    PublicationsAssigned,
    ResultsJudged,
    RevealsRequested,
    ShardsAwarded,
    ShardsOffered,
)
from events.entry import Entry
from projections.audit import ending, placement, verdict
from projections.audit.ledger import Ledger
from projections.audit.placement import Case, Members
from projections.audit.stories import ruling
from projections.evolve import evolve
from projections.hindsight import BEHIND_NEWER, Known
from projections.state import Job

_FREE: dict[type[AnyEvent], tuple[str, int, Any]] = {
    ResultsJudged: ("verdicts", 5, verdict.verdicts),
    RevealsRequested: ("reveal requests", 5, verdict.reveals),
    JobCompleted: ("roots", 7, ending.completed),
    JobFailed: ("failures", 7, ending.failed),
    JobCancelled: ("cancellations", 10, ending.cancelled),
}
FREE = {KINDS[kind]: proof for kind, proof in _FREE.items()}
"""Proofs that need the job alone: what is proved, by which rule, how."""

_AMONG: dict[type[AnyEvent], tuple[str, int, Any]] = {
    JobPlanned: ("plans", 7, placement.plan),
    ShardsOffered: ("offers", 7, placement.offers),
    ShardsAwarded: ("awards", 7, placement.awards),
    ExecutionsLost: ("losses", 8, verdict.losses),
}
AMONG = {KINDS[kind]: proof for kind, proof in _AMONG.items()}
"""Proofs that also need the nodes as they were."""


class Proofs:
    """What is proved of the decisions and of the items of a log, written into a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def decided(self, entry: Entry, known: Known) -> None:
        """Prove a decision, as far as is known what its author knew."""
        ledger = self._ledger
        for doubt in known.doubts:
            if doubt.rule:
                ledger.note(entry, "forged", doubt.rule, doubt.what, doubt.right)
            else:
                ledger.unprovable[doubt.what] += 1
        if known.job is not None:
            ledger.proved["seals"] += 1
            if not known.job.newer:
                for part in entry.parts():
                    self._prove(part, known.job, known.nodes)
        elif known.nodes is not None and isinstance(entry.event, NodeLost):
            self._lost(entry, entry.event, known.nodes)

    def _prove(self, entry: Entry, job: Job, nodes: Members | None) -> None:
        event, ledger = entry.event, self._ledger
        free = FREE.get(entry.address.kind)
        case = Case(job, {}, entry.time_ms)
        if free is not None:
            ledger.judge(entry, free[0], free[1], free[2](case, event))
        elif isinstance(event, PublicationsAssigned) and event.data.roots:
            ledger.judge(entry, "published roots", 7, ending.roots(case, event))
        among = AMONG.get(entry.address.kind)
        if among is not None and nodes is not None:
            case = Case(job, nodes, entry.time_ms)
            ledger.judge(entry, among[0], among[1], among[2](case, event))

    def _lost(self, entry: Entry, event: NodeLost, nodes: Members) -> None:
        """Prove that who was given up on was a member in the life that was named."""
        ledger, lost = self._ledger, event.data
        node = nodes.get(lost.node)
        if node is None or node.state not in ("live", "draining"):
            state = f"is {node.state}" if node is not None else "has not joined"
            what = f"it loses {lost.node}, which {state}"
            ledger.note(entry, "unproven", 11, what, "who is lost was a member before")
        elif node.incarnation != lost.incarnation:
            what = f"it loses incarnation {lost.incarnation} of {node.name}"
            ledger.note(entry, "unproven", 11, what, f"{node.incarnation} was its life then")
        else:
            ledger.proved["lost nodes"] += 1

    def fold(self, job: Job, entry: Entry) -> None:
        """Fold an event, and write down what of it was late and what was skipped."""
        illegal, late, unjudged = job.illegal, job.late, job.unjudged
        evolve(job, entry)
        self._ledger.late += job.late - late
        if job.unjudged > unjudged:
            self._ledger.unprovable[BEHIND_NEWER] += job.unjudged - unjudged
        if job.illegal > illegal:
            self._tell(job, entry, job.illegal - illegal)

    def _tell(self, job: Job, entry: Entry, new: int) -> None:
        """Write down the items that the fold skipped; it keeps the stories of the last twenty."""
        stories = job.stories[-new:]
        for story in stories:
            right = ruling(story)
            what = f"{story.item} in state {story.state}: {story.why}"
            self._ledger.note(entry, "illegal", right.rule, what, right.right)
        self._ledger.found += new - len(stories)
