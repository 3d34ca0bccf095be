"""Decide which nodes are lost: present members whose heartbeats have been missing for too long.

Losing a node changes membership only; its executions end by decisions in their own jobs.
"""

from collections.abc import Mapping

from events.decisions import NodeLost, NodeLostData
from events.subjects import NET, partition
from node.effects import Append, Effect
from node.policy import Policy
from projections.nodes import Node, Nodes, owner


def decide_nodes(
    nodes: Nodes, presence: Mapping[str, int], *, me: str, now_ms: int, policy: Policy
) -> list[Effect]:
    """Return the effects that are due for the members, at most one decision at a time.

    `presence` tells when each node was last heard, by this requester's own clock; one that stands
    in the log but not there has not been listened for yet. The owner of the stream of node events
    decides; what it leaves lying for a grace is anybody's. Nobody gives itself up. Once a decision
    about nodes is there that only a newer version of Lota knows, requesters of that version decide.
    """
    if nodes.held:
        return []
    owned = owner(nodes, partition(NET)) in (me, "")
    patience_ms = policy.presence_ms + (0 if owned else policy.overdue_grace_ms)
    for name, node in nodes.members.items():
        if name == me or node.state not in ("live", "draining"):
            continue
        heard_ms = presence.get(name)
        if heard_ms is not None and now_ms - heard_ms >= patience_ms:
            return [_lost(nodes, node, now_ms - heard_ms, policy)]
    return []


def _lost(nodes: Nodes, node: Node, silence_ms: int, policy: Policy) -> Append:
    return Append(
        job=NET,
        kind=NodeLost,
        data=NodeLostData(
            seen=nodes.seen,
            seal="",
            policy=policy.version,
            node=node.name,
            incarnation=node.incarnation,
            reason=f"not heard for {silence_ms / 1000:.1f} s",
            silence_ms=silence_ms,
        ),
        cause=nodes.last_event,
        fence=nodes.fence,
    )
