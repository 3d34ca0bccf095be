"""What a job and a node look like from outside: the documents of the command line and of the API.

Plain dictionaries of JSON's types, made from the fold alone. A field is always there, and null when
there is nothing to say; executions are named by their ids on paper. Times are RFC 3339.
"""

from typing import Any

import msgspec

from events.commitment import execution_id
from events.items import Claim, Listing
from events.times import rfc3339
from projections.newer import newer_view
from projections.nodes import Node, Nodes
from projections.state import Execution, Job, RootSlot, Shard, Slot, Story, Verdict
from projections.summary import what_runs
from projections.timeline import Timeline
from projections.waiting import why_waiting


def job_view(
    job: Job, nodes: Nodes, timeline: Timeline | None = None, *, now_ms: int
) -> dict[str, Any]:
    """Return everything about one job; `now_ms` decides which nodes are quarantined still."""
    return {**job_head(job, nodes, timeline, now_ms=now_ms), "shards": shard_views(job)}


def job_head(
    job: Job, nodes: Nodes, timeline: Timeline | None = None, *, now_ms: int
) -> dict[str, Any]:
    """Return a job's view with its place for the shards left empty: what stays small."""
    return {
        "id": job.id,
        "name": job.spec.name,
        "state": job.state,
        "code": job.code or None,
        "reason": job.reason or None,
        "exit_code": job.exit_code,
        "root_cid": job.root_cid or None,
        "dag_size_bytes": job.dag_size_bytes if job.root_cid else None,
        "labels": dict(job.spec.labels),
        "gateway": job.gateway,
        "submitted_at": job.submitted_at,
        "ended_at": job.ended_at or None,
        "deadline_at": rfc3339(job.deadline_ms) if job.deadline_ms else None,
        "closed": job.closed,
        "cancel_asked": job.cancel_asked,
        "spec": msgspec.to_builtins(job.spec),
        "inputs": [_input_view(listing) for listing in job.inputs],
        "shards": [],
        "roots": [_root_view(job, number, slot) for number, slot in sorted(job.roots.items())],
        "counts": {"events": job.seen, "late": job.late, "illegal": job.illegal},
        "illegal": [_story_view(story) for story in job.stories],
        "newer": newer_view(job.newer),
        "unjudged": job.unjudged,
        "why_waiting": why_waiting(job, nodes, now_ms),
        "timeline": timeline.rows() if timeline is not None else [],
    }


def shard_views(job: Job, start: int = 0, stop: int | None = None) -> list[dict[str, Any]]:
    """Return what a job's view says of its shards, or of those `start <= index < stop`."""
    return [
        _shard_view(job, index, shard) for index, shard in enumerate(job.shards[start:stop], start)
    ]


def job_row(job: Job) -> dict[str, Any]:
    """Return one job as a line of a list."""
    return {
        "id": job.id,
        "name": job.spec.name,
        "state": job.state,
        "code": job.code or None,
        "reason": job.reason or None,
        "root_cid": job.root_cid or None,
        "labels": dict(job.spec.labels),
        "engine": job.spec.engine,
        "command": what_runs(job.spec),
        "shards": {
            "total": len(job.shards),
            "completed": job.counts.get("completed", 0),
            "failed": job.counts.get("failed", 0),
            "cancelled": job.counts.get("cancelled", 0),
        },
        "submitted_at": job.submitted_at,
        "ended_at": job.ended_at or None,
    }


def node_view(node: Node) -> dict[str, Any]:
    """Return one node: its present life and what it can do, which its own events tell."""
    can = node.capabilities
    return {
        "name": node.name,
        "state": node.state,
        "roles": list(can.roles),
        "engines": list(can.engines),
        "publishers": list(can.publishers),
        "credentials": list(can.credentials),
        "cpu": can.cpu,
        "memory_bytes": can.memory_bytes,
        "disk_bytes": can.disk_bytes,
        "gpu": can.gpu,
        "width": can.width,
        "labels": dict(can.labels),
        "data": list(can.data),
        "version": can.version,
        "incarnation": node.incarnation,
        "joined_at": node.joined_at,
        "quarantined": node.quarantined_until_ms is not None,
        "quarantined_until": rfc3339(node.quarantined_until_ms)
        if node.quarantined_until_ms
        else None,
        "reason": node.reason or None,
    }


def judged_node_view(node: Node) -> dict[str, Any]:
    """Return one node and how its claims were judged, which takes a fold of the whole log."""
    return {**node_view(node), "agreed": node.agreed, "differed": node.differed}


def _input_view(listing: Listing | None) -> dict[str, Any] | None:
    if listing is None:
        return None
    return {
        "source": listing.source,
        "count": listing.count,
        "size_bytes": listing.size_bytes,
        "digest": listing.digest,
    }


def _shard_view(job: Job, index: int, shard: Shard) -> dict[str, Any]:
    return {
        "index": index,
        "state": shard.state,
        "code": shard.code or None,
        "reason": shard.reason or None,
        "executions": [
            _execution_view(job, index, attempt, execution)
            for attempt, execution in enumerate(shard.executions)
        ],
        "verdict": _verdict_view(job, index, shard.verdict),
        "publications": [
            {
                **_publisher_view(job, number),
                "uri": copy.uri,
                "cid": copy.cid,
                "size_bytes": copy.size_bytes,
                "duration_ms": copy.duration_ms,
                "node": shard.executions[copy.attempt].node,
                "execution": execution_id(job.id, index, copy.attempt),
            }
            for number, slot in sorted(shard.slots.items())
            for copy in slot.copies
        ],
        "slots": [
            _slot_view(job, number, shard, slot) for number, slot in sorted(shard.slots.items())
        ],
    }


def _publisher_view(job: Job, number: int) -> dict[str, Any]:
    publisher = job.spec.publishers[number]
    return {"publisher": publisher.driver, "target": publisher.target or None}


def _slot_view(job: Job, number: int, shard: Shard, slot: Slot) -> dict[str, Any]:
    """Return how one publication stands: who has it in hand, how often, and what went wrong."""
    executions = shard.executions
    held = 0 <= slot.attempt < len(executions)
    return {
        **_publisher_view(job, number),
        "state": slot.state,
        "node": executions[slot.attempt].node if held else None,
        "tries": slot.tries,
        "given_up": [executions[attempt].node for attempt in slot.given_up],
        "reason": slot.reason or None,
    }


def _root_view(job: Job, number: int, slot: RootSlot) -> dict[str, Any]:
    return {
        **_publisher_view(job, number),
        "state": slot.state,
        "node": slot.node or None,
        "uri": slot.uri or None,
        "cid": slot.cid or None,
        "tries": slot.tries,
        "reason": slot.reason or None,
    }


def _execution_view(job: Job, index: int, attempt: int, execution: Execution) -> dict[str, Any]:
    return {
        "id": execution_id(job.id, index, attempt),
        "node": execution.node,
        "state": execution.state,
        "reason": execution.reason or None,
        "claim": claim_view(execution.claim),
    }


def _verdict_view(job: Job, index: int, verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "result": verdict.result,
        "accepted": [execution_id(job.id, index, attempt) for attempt in verdict.accepted],
        "rejected": [execution_id(job.id, index, attempt) for attempt in verdict.rejected],
        "reason": verdict.reason or None,
        "claim": claim_view(verdict.claim),
    }


def claim_view(claim: Claim | None) -> dict[str, Any] | None:
    """Return what a node says that a command came to."""
    if claim is None:
        return None
    return {
        "cid": claim.cid,
        "dag_size_bytes": claim.dag_size_bytes,
        "exit_code": claim.exit_code,
        "fuel": claim.fuel,
    }


def _story_view(story: Story) -> dict[str, Any]:
    return {
        "event": story.event,
        "kind": story.kind,
        "author": story.author,
        "causation": story.causation,
        "item": story.item,
        "state": story.state,
        "why": story.why,
        "before": list(story.recent),
    }
