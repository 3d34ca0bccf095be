"""Why a job waits: the question that people ask first, answered from the fold alone.

Every reason is an object with `stage` (placement, listing, planning, deciding, verdict,
publishing), a stable `code`, a `message` for people, the `node` that it is about (or null) and how
many `shards` wait for it. What runs does not wait.
"""

from collections import Counter
from typing import Any

from events.spec import PublisherSpec
from projections.nodes import Node, Nodes, lacking, refusal
from projections.state import IN_HAND, TERMINAL, Job, OfferState

NODES_MAX = 50
"""Nodes that are named one by one; a network may have thousands that cannot run a job."""


def why_waiting(job: Job, nodes: Nodes, now_ms: int) -> list[dict[str, Any]]:
    """Return the reasons, the most telling first; none for a job that has ended."""
    if job.state in TERMINAL:
        return []
    reasons: list[dict[str, Any]] = []
    if not nodes.present("requester"):
        reasons.append(
            _reason(
                "deciding",
                "no_requester",
                "no requester is present, so nobody decides: lota node serve --role requester",
                shards=len(job.shards),
            )
        )
    if job.held:
        reasons.append(
            _reason(
                "deciding",
                "newer_decision",
                f"{job.held} was written by a newer version of Lota: only requesters of that "
                "version decide on, and this state is that of before",
                shards=len(job.shards),
            )
        )
    if job.cancel_asked is not None:
        reasons.append(_reason("deciding", "cancel_asked", "a cancel waits for its decision"))
    if job.state == "submitted":
        reasons.append(_unplanned(job))
    if job.placing:
        reasons += _placement(job, nodes, now_ms)
    reasons += _verdict(job)
    reasons += _publishing(job)
    reasons += _without_publisher(job, nodes)
    return reasons


def _reason(
    stage: str, code: str, message: str, *, node: str | None = None, shards: int = 0
) -> dict[str, Any]:
    return {"stage": stage, "code": code, "message": message, "node": node, "shards": shards}


def _unplanned(job: Job) -> dict[str, Any]:
    if job.listed:
        return _reason("planning", "unplanned", "a requester has still to cut it into shards")
    return _reason("listing", "unlisted", "a compute node has still to list its remote inputs")


def _placement(job: Job, nodes: Nodes, now_ms: int) -> list[dict[str, Any]]:
    """Say who cannot run it, who would not, and who has not answered."""
    shards = len(job.placing)
    deal = job.spec.deal
    members = [node for node in nodes.members.values() if _is_candidate(node)]
    refusals = {node.name: refusal(node, job.spec, now_ms) for node in members}
    able = sum(1 for why in refusals.values() if not why)
    reasons = []
    if able < deal.replicas:
        message = (
            f"each shard needs {deal.replicas} distinct node(s), and {able} of the "
            f"{len(members)} known can run it"
        )
        reasons.append(_reason("placement", "too_few_nodes", message, shards=shards))
    elif able < deal.min_bids:
        message = f"the deal waits for {deal.min_bids} bids, and {able} node(s) can run it"
        reasons.append(_reason("placement", "too_few_nodes", message, shards=shards))
    offers = [offer for offer in job.offers if _still_wanted(job, offer)]
    reasons += _declined(job, offers)
    for name, why in sorted(refusals.items())[:NODES_MAX]:
        if why:
            reasons.append(_reason("placement", "cannot_run", why, node=name, shards=shards))
    silent = {
        node
        for offer in offers
        for node in offer.nodes
        if node not in offer.bids and node not in offer.declines and not refusals.get(node)
    }
    for name in sorted(silent)[:NODES_MAX]:
        message = "it was asked to bid and has not answered"
        reasons.append(_reason("placement", "no_answer", message, node=name, shards=shards))
    if not reasons:
        reasons.append(_unexplained(offers, shards))
    return reasons


def _unexplained(offers: list[OfferState], shards: int) -> dict[str, Any]:
    if any(offer.bids for offer in offers):
        message = "the nodes that bid are busy with other shards of this job"
        return _reason("placement", "nodes_busy", message, shards=shards)
    return _reason("placement", "not_offered", "a requester has still to offer it", shards=shards)


def _is_candidate(node: Node) -> bool:
    return "compute" in node.capabilities.roles and node.state != "left"


def _still_wanted(job: Job, offer: OfferState) -> bool:
    return any(index in job.placing for start, stop in offer.shards for index in range(start, stop))


def _declined(job: Job, offers: list[OfferState]) -> list[dict[str, Any]]:
    """Return each node's last no, and for how many waiting shards it stands."""
    said: dict[str, tuple[str, str]] = {}
    shards: Counter[str] = Counter()
    for offer in offers:
        for node, decline in offer.declines.items():
            said[node] = (decline.code, decline.message)
            shards[node] += sum(
                index in job.placing for start, stop in offer.shards for index in range(start, stop)
            )
    return [
        _reason(
            "placement",
            "declined",
            f"it declined: {message} ({code})",
            node=node,
            shards=min(shards[node], len(job.placing)),
        )
        for node, (code, message) in sorted(said.items())[:NODES_MAX]
    ]


def _verdict(job: Job) -> list[dict[str, Any]]:
    """Say whose commitments are still closed where reveals were asked for."""
    closed: Counter[str] = Counter()
    open_shards = 0
    for index in job.judging:
        shard = job.shards[index]
        late = [e.node for e in shard.executions if e.asked and e.state == "proposed"]
        closed.update(late)
        open_shards += not late and shard.state == "verifying"
    reasons = [
        _reason("verdict", "not_revealed", "it has still to reveal its result", node=node, shards=n)
        for node, n in sorted(closed.items())[:NODES_MAX]
    ]
    if open_shards:
        message = "the results are in, and a requester has still to judge them"
        reasons.append(_reason("verdict", "unjudged", message, shards=open_shards))
    return reasons


def _publishing(job: Job) -> list[dict[str, Any]]:
    """Say what keeps accepted results, and in the end the job's root, from being published."""
    found: Counter[tuple[str, str, str | None]] = Counter()
    for index in job.publishing:
        shard = job.shards[index]
        for number, slot in shard.slots.items():
            driver = job.spec.publishers[number].driver
            node = shard.executions[slot.attempt].node if slot.attempt >= 0 else None
            if slot.state == "doubtful":
                message = f"{driver} may or may not have been paid; a person may have to look"
                found["in_doubt", message, node] += 1
            elif slot.state == "retry" or (slot.state == "idle" and slot.reason):
                found[
                    "publish_failed", f"{driver} failed and is tried again: {slot.reason}", node
                ] += 1
            elif slot.state in ("assigned", "started", "looking"):
                found["publishing", f"it publishes to {driver}", node] += 1
    for number, root in job.roots.items():
        driver = job.spec.publishers[number].driver
        if root.state == "assigned":
            found["publishing", f"it publishes the job's root to {driver}", root.node] += 1
        elif root.state == "retry":
            message = f"{driver} failed for the job's root: {root.reason}"
            found["publish_failed", message, root.node] += 1
    return [
        _reason("publishing", code, message, node=node, shards=shards)
        for (code, message, node), shards in found.most_common(NODES_MAX)
    ]


def _without_publisher(job: Job, nodes: Nodes) -> list[dict[str, Any]]:
    """Say why nobody who agreed can publish, where a publisher waits for somebody."""
    found: Counter[tuple[str, str]] = Counter()
    for index in job.publishing:
        shard = job.shards[index]
        agreed = [e.node for e in shard.executions if e.state == "accepted"]
        for number, publisher in enumerate(job.spec.publishers):
            slot = shard.slots.get(number)
            if slot is not None and slot.state in IN_HAND:
                continue
            reasons = {name: _cannot(nodes.members.get(name), publisher) for name in agreed}
            if all(reasons.values()):
                found.update(
                    (name, f"it agreed, and cannot publish to {publisher.driver}: {why}")
                    for name, why in reasons.items()
                )
    return [
        _reason("publishing", "cannot_publish", message, node=node, shards=shards)
        for (node, message), shards in found.most_common(NODES_MAX)
    ]


def _cannot(node: Node | None, publisher: PublisherSpec) -> str:
    if node is None:
        return "it is unknown"
    if node.state in ("left", "lost"):
        return f"it is {node.state}"
    return lacking(node.capabilities, publisher)
