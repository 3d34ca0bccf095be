"""Reading nodes: the list, one of them, and the order in which a shard is offered to them."""

from collections import Counter
from typing import Any

import msgspec

from events.clock import now_ms
from events.errors import NotFound
from node.jobs import shard_indexes
from node.observer.past import Past
from node.policy import Policy
from node.web.api.asking import AsOfQuery, NodePath, RingQuery
from node.web.api.bidding import (
    bids_by_node,
    bids_view,
    failures_by_node,
    failures_of,
    failures_view,
)
from node.web.api.shared import Api, when
from projections.nodes import Node, refusal, weight
from projections.ring import score
from projections.state import Job
from projections.track_records import TrackRecord
from projections.travel import node_state_view
from projections.views import judged_node_view

FAILURES_MAX = 100


async def list_nodes(api: Api, query: AsOfQuery) -> dict[str, Any]:
    """List the nodes of the network, by name.

    `executions` counts what a node has in hand; `bids` and `failures` are of the open jobs,
    `record` is of those that have ended.
    """
    past = await api.past(query.as_of)
    jobs = list(past.network.jobs.values())
    load: Counter[str] = Counter()
    for job in jobs:
        load.update(job.load)
    bids, failures = bids_by_node(jobs), failures_by_node(jobs)
    rows = [
        {
            **judged_node_view(node),
            "executions": load[name],
            "bids": bids_view(bids.get(name)),
            "failures": failures_view(failures.get(name)),
            "record": _record(past, name),
        }
        for name, node in sorted(past.network.nodes.members.items())
    ]
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
    jobs = list(past.network.jobs.values())
    return {
        **node_state_view(past.travel, node),
        "bids": bids_view(bids_by_node(jobs).get(node.name)),
        "failures": failures_of(jobs, node.name)[-FAILURES_MAX:],
        "record": _record(past, node.name),
    }


async def get_ring(api: Api, query: RingQuery) -> dict[str, Any]:
    """Show the compute nodes in the order in which a shard of a job is first offered to them.

    `asked` is how many of the first ones it is offered to in the first round. Without a job they
    come by name, with their weights for a job that has no inputs.
    """
    past = await api.past(query.as_of)
    members = past.network.nodes.members.values()
    nodes = [node for node in members if "compute" in node.capabilities.roles]
    if not query.job:
        rows = [_row(node, float(node.capabilities.width)) for node in nodes]
        rows.sort(key=lambda row: str(row["name"]))
        return {**when(past), "job": None, "shard": None, "asked": None, "nodes": rows}
    job = (await api.observer.job(query.job, past)).job
    shard_indexes(job, query.shard)
    now = past.time_ms if query.as_of else now_ms()
    key = f"{job.id}/{_ranked_by(job, query.shard)}"
    rows = [_scored(node, job, key, now) for node in nodes]
    rows.sort(key=lambda row: (row["refusal"] is not None, -row["score"], row["name"]))
    able = [row for row in rows if row["refusal"] is None]
    for rank, row in enumerate(able, 1):
        row["rank"] = rank
    deal = job.spec.deal
    asked = min(len(able), max(deal.replicas * Policy().over_ask, deal.min_bids))
    return {**when(past), "job": job.id, "shard": query.shard, "asked": asked, "nodes": rows}


def _record(past: Past, node: str) -> dict[str, int]:
    """Return how a node fared in the jobs that have ended."""
    record: dict[str, int] = msgspec.to_builtins(past.track_records.of.get(node) or TrackRecord())
    return {name: record.get(name, 0) for name in TrackRecord.__struct_fields__}


def _ranked_by(job: Job, shard: int) -> int:
    """Return the shard that stands for this one's group on the ring: the first one of its offer."""
    for offer in job.offers:
        if any(start <= shard < stop for start, stop in offer.shards):
            return offer.shards[0][0]
    return shard


def _scored(node: Node, job: Job, key: str, now: int) -> dict[str, Any]:
    share = weight(node, job.spec)
    why = refusal(node, job.spec, now) or None
    return {**_row(node, share), "score": score(node.name, key, share), "refusal": why}


def _row(node: Node, share: float) -> dict[str, Any]:
    row = {"name": node.name, "state": node.state, "weight": share}
    return {**row, "score": None, "rank": None, "refusal": None}
