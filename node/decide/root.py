"""Decide who publishes the job's root, so that the whole result is one CID at the services that
find by CID.

The root is a folder over the shards' CIDs and sizes alone. Its blocks go to the node that publishes
it as a blob, and nobody gathers the data. It comes last and is a convenience that anyone can make
anew from the log, so a job does not fail for it: after some tries it completes without.
"""

from events.car import car
from events.cid import cid_bytes, raw_cid
from events.decisions import PublicationsAssigned, PublicationsAssignedData
from events.items import RootAssignment
from node.decide.publish import able_to_publish
from node.decide.view import View, append
from node.effects import Append, WakeAt
from projections.outcome import root_of
from projections.state import RootSlot


def publish_root(view: View) -> Append | WakeAt | None:
    """Assign the root, again where that failed, or wait; None when there is nothing to wait for."""
    job, policy = view.job, view.policy
    wake_ms = 0
    given: list[RootAssignment] = []
    for number, publisher in enumerate(job.spec.publishers):
        if publisher.driver not in policy.linked:
            continue
        slot = job.roots.get(number, RootSlot())
        due_ms = _due_ms(view, slot)
        if due_ms > view.now_ms:
            wake_ms = min(wake_ms, due_ms) if wake_ms else due_ms
        elif due_ms >= 0 and slot.tries < policy.root_tries_max:
            execution = _holder(view, number, slot)
            if execution is not None:
                given.append(RootAssignment(number, *execution))
    if not given:
        return WakeAt(job.id, wake_ms) if wake_ms else None
    root, blocks = root_of(job)
    blob = car(cid_bytes(root.cid), reversed(blocks))
    return append(
        view,
        PublicationsAssigned,
        PublicationsAssignedData,
        blobs=(blob,),
        assignments=(),
        until_ms=view.now_ms + policy.root_ms,
        roots=tuple(given),
        root_cid=root.cid,
        root_blob=raw_cid(blob),
    )


def _due_ms(view: View, slot: RootSlot) -> int:
    """Return when the slot may be given to a node again; -1 for never."""
    if slot.state == "published":
        return -1
    if slot.state == "assigned":
        node = view.nodes.members.get(slot.node)
        gone = node is None or node.state in ("left", "lost")
        return 0 if gone else slot.until_ms
    if slot.state == "retry":
        return slot.assigned_ms + view.policy.publish_backoff_ms
    return 0


def _holder(view: View, number: int, slot: RootSlot) -> tuple[int, int] | None:
    """Return an execution of a shard that is published there, whose node can publish there now.

    One that has not had the root yet comes first.
    """
    second = None
    for index, shard in enumerate(view.job.shards):
        there = shard.slots.get(number)
        if there is None or there.state != "published":
            continue
        for attempt in able_to_publish(view, shard, number):
            if shard.executions[attempt].node not in slot.nodes:
                return index, attempt
            second = second or (index, attempt)
    return second
