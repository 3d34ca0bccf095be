"""Reading nodes: the list, one of them, and the order in which a shard is offered to them."""

from collections import Counter
from typing import Any

from events.clock import now_ms
from events.commitment import execution_id
from events.errors import NotFound
from events.items import Range
from node.jobs import shard_indexes
from node.web.api.asking import AsOfQuery, NodePath, RingQuery
from node.web.api.shared import Api, when
from projections.nodes import Node, refusal, weight
from projections.ring import score
from projections.state import Job
from projections.travel import Travel, node_state_view
from projections.views import judged_node_view

FAILURES_MAX = 100


async def list_nodes(api: Api, query: AsOfQuery) -> dict[str, Any]:
    """List the nodes of the network, by name, with how many executions each has in hand."""
    past = await api.past(query.as_of)
    load: Counter[str] = Counter()
    for job in past.network.jobs.values():
        load.update(job.load)
    nodes = sorted(past.network.nodes.members.items())
    rows = [{**judged_node_view(node), "executions": load[name]} for name, node in nodes]
    return {**when(past), "nodes": rows}


async def get_node(api: Api, path: NodePath, query: AsOfQuery) -> dict[str, Any]:
    """Describe one node: what it can do, what it has in hand, how it fared in the open jobs."""
    past = await api.past(query.as_of)
    node = past.network.nodes.members.get(path.name)
    if node is None:
        raise NotFound(
            f"no node {path.name} had joined by position {past.position}",
            hint="GET /api/v1/nodes lists those that had",
        )
    travel = Travel(past.network)
    travel.time_ms = past.time_ms
    jobs = list(past.network.jobs.values())
    return {
        **node_state_view(travel, node),
        **when(past),
        "bids": _bids(jobs, node.name),
        "failures": _failures(jobs, node.name)[-FAILURES_MAX:],
    }


async def get_ring(api: Api, query: RingQuery) -> dict[str, Any]:
    """Show the compute nodes in the order in which a shard of a job is offered to them.

    Without a job they come by name, with their weights for a job that has no inputs.
    """
    past = await api.past(query.as_of)
    members = past.network.nodes.members.values()
    nodes = [node for node in members if "compute" in node.capabilities.roles]
    if not query.job:
        rows = [_ring_row(node, float(node.capabilities.width)) for node in nodes]
        rows.sort(key=lambda row: str(row["name"]))
        return {**when(past), "job": None, "shard": None, "nodes": rows}
    job = (await api.observer.job(query.job, past)).job
    shard_indexes(job, query.shard)
    now = past.time_ms if query.as_of else now_ms()
    rows = [_scored(node, job, query.shard, now) for node in nodes]
    rows.sort(key=lambda row: (row["refusal"] is not None, -row["score"], row["name"]))
    able = sum(row["refusal"] is None for row in rows)
    for rank, row in enumerate(rows[:able], 1):
        row["rank"] = rank
    return {**when(past), "job": job.id, "shard": query.shard, "nodes": rows}


def _scored(node: Node, job: Job, shard: int, now: int) -> dict[str, Any]:
    share = weight(node, job.spec)
    row = _ring_row(node, share)
    # As `node.decide.placement` has it for the group of shards that begins with this one.
    row["score"] = score(node.name, f"{job.id}/{shard}", share)
    row["refusal"] = refusal(node, job.spec, now) or None
    return row


def _ring_row(node: Node, share: float) -> dict[str, Any]:
    row = {"name": node.name, "state": node.state, "weight": share}
    return {**row, "score": None, "rank": None, "refusal": None}


def _bids(jobs: list[Job], node: str) -> dict[str, int]:
    placed = won = lost = declined = 0
    for job in jobs:
        for offer in job.offers:
            declined += node in offer.declines
            if node not in offer.bids:
                continue
            placed += 1
            if _awarded(job, offer.shards, node):
                won += 1
            elif not any(
                i in job.placing for start, stop in offer.shards for i in range(start, stop)
            ):
                lost += 1
    return {"placed": placed, "won": won, "lost": lost, "declined": declined}


def _awarded(job: Job, shards: tuple[Range, ...], node: str) -> bool:
    return any(
        execution.node == node
        for start, stop in shards
        for shard in job.shards[start:stop]
        for execution in shard.executions
    )


def _failures(jobs: list[Job], node: str) -> list[dict[str, Any]]:
    return [
        {
            "id": execution_id(job.id, index, attempt),
            "job": job.id,
            "state": execution.state,
            "reason": execution.reason or None,
        }
        for job in jobs
        for index, shard in enumerate(job.shards)
        for attempt, execution in enumerate(shard.executions)
        if execution.node == node and execution.state in ("failed", "lost", "rejected")
    ]
