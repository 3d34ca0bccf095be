"""Fold publishing: slots are assigned, taken back, begun, filled or failed."""

from events.decisions import PublicationsAssigned, PublicationsRevoked
from events.facts import PublishFailed, PublishStarted, ResultsPublished
from events.items import Publication
from projections.evolve import roots
from projections.evolve.running import conclude
from projections.evolve.step import Step, finish, queue_publishing
from projections.state import Copy, Shard, Slot
from projections.transitions import ILLEGAL, LATE, SLOT


def move_slot(
    step: Step, index: int, number: int, slot: Slot, item: str, detail: str | int = ""
) -> bool:
    """Take a slot through the table; True when the item was a transition."""
    after = SLOT[slot.state, item]
    if after is LATE:
        step.late()
        return False
    if after is ILLEGAL:
        step.illegal(f"shard {index} slot {number} {item}", slot.state, "not in this state")
        return False
    if step.moves is not None:
        step.moves.append(("slot", item, index, slot.state, after, detail))
    slot.state = after  # type: ignore[assignment]
    return True


def publications_assigned(step: Step, event: PublicationsAssigned) -> None:
    """Who publishes what, from here on."""
    roots.roots_assigned(step, event)
    for item in event.data.assignments:
        shard = step.shard(item.shard, "assigned")
        if shard is not None:
            assign(
                step,
                item.shard,
                shard,
                slot_number=item.slot,
                attempt=item.attempt,
                until_ms=event.data.until_ms,
                lookup=item.lookup,
            )


def assign(
    step: Step,
    index: int,
    shard: Shard,
    *,
    slot_number: int,
    attempt: int,
    until_ms: int,
    lookup: bool,
) -> None:
    """Give a slot to an accepted execution."""
    name = f"shard {index} slot {slot_number} assigned"
    if not 0 <= slot_number < len(step.job.spec.publishers):
        step.illegal(name, shard.state, "the job names no such publisher")
        return
    executions = shard.executions
    if not 0 <= attempt < len(executions) or executions[attempt].state != "accepted":
        step.illegal(name, shard.state, "only an accepted execution publishes")
        return
    slot = shard.slots.setdefault(slot_number, Slot())
    if not move_slot(step, index, slot_number, slot, "lookup" if lookup else "assigned"):
        return
    slot.attempt = attempt
    slot.assigned_ms = step.entry.time_ms
    slot.until_ms = until_ms
    if lookup:
        slot.earlier.append(slot.decision)
        slot.lookups += 1
    else:
        slot.earlier = []
        slot.tries += 1
        slot.starter = -1
    slot.decision = step.entry.event.id
    if attempt not in slot.assignees:
        slot.assignees.append(attempt)
    queue_publishing(step.job, index, shard)


def publications_revoked(step: Step, event: PublicationsRevoked) -> None:
    """Paid assignments end here; whether they were begun stands before this in the log."""
    for item in event.data.revoked:
        shard = step.shard(item.shard, "revoked")
        slot = shard.slots.get(item.slot) if shard is not None else None
        if shard is None:
            continue
        if slot is None:
            step.illegal(
                f"shard {item.shard} slot {item.slot} revoked", shard.state, "not assigned"
            )
        elif move_slot(step, item.shard, item.slot, slot, "revoked"):
            slot.reason = item.reason
            queue_publishing(step.job, item.shard, shard)


def publish_started(step: Step, event: PublishStarted) -> None:
    """A node is about to pay."""
    for item in event.data.starts:
        found = _claimed(step, item.shard, item.slot, item.attempt, "started")
        if found is None:
            continue
        slot = found[1]
        if slot.starter == item.attempt:
            step.late()  # stored twice, perhaps after its node has said that it paid nothing
            continue
        if item.attempt != slot.attempt and slot.state == "assigned":
            step.illegal(f"shard {item.shard} slot {item.slot} started", slot.state, "reassigned")
            continue
        if move_slot(step, item.shard, item.slot, slot, "started"):
            slot.starter = item.attempt


def results_published(step: Step, event: ResultsPublished) -> None:
    """A copy exists. The first fills the slot; another URI is an extra copy, the same a repeat."""
    roots.roots_published(step, event)
    for item in event.data.publications:
        found = _claimed(step, item.shard, item.slot, item.attempt, "published")
        if found is None:
            continue
        shard, slot = found
        execution = shard.executions[item.attempt]
        if item.claim is not None and execution.state != "accepted":
            if not step.job.spec.fused or item.claim.exit_code != 0 or item.claim.cid != item.cid:
                step.illegal(
                    f"shard {item.shard} published", shard.state, "it needs a verdict first"
                )
                continue
            if not conclude(step, item.shard, item.attempt, shard, execution, item.claim):
                continue
        if execution.state != "accepted":
            step.late()
            continue
        if (
            shard.verdict is None
            or shard.verdict.claim is None
            or (shard.verdict.claim.cid != item.cid)
        ):
            step.illegal(
                f"shard {item.shard} published", shard.state, "it is not what was accepted"
            )
            continue
        _fill(step, item, shard, slot)


def _fill(step: Step, item: Publication, shard: Shard, slot: Slot) -> None:
    copy = Copy(
        attempt=item.attempt,
        uri=item.uri,
        cid=item.cid,
        size_bytes=item.size_bytes,
        duration_ms=item.duration_ms,
    )
    if slot.state == "published":
        known = any(held.uri == item.uri for held in slot.copies)
        step.late()
        if not known:
            slot.copies.append(copy)
        return
    if not move_slot(step, item.shard, item.slot, slot, "published", item.size_bytes):
        return
    slot.copies.append(copy)
    published = sum(1 for other in shard.slots.values() if other.state == "published")
    if shard.state != "publishing":
        return
    if published >= step.job.spec.slots_needed:
        finish(step, item.shard, shard, "completed")
    else:
        queue_publishing(step.job, item.shard, shard)


def publish_failed(step: Step, event: PublishFailed) -> None:
    """A publication failed; for good only when the node says so.

    That nothing was paid is for the node to say that had begun, if any had. What it says of one
    assignment is not true of the next, and may be stored again long after it was said.
    """
    roots.roots_failed(step, event)
    for item in event.data.failures:
        found = _claimed(step, item.shard, item.slot, item.attempt, "failed")
        if found is None:
            continue
        shard, slot = found
        if item.assignment not in ("", slot.decision, *slot.earlier):
            step.late()
            continue
        unpaid = item.unpaid and slot.starter in (item.attempt, -1)
        if slot.attempt != item.attempt and not (unpaid and slot.starter == item.attempt):
            step.late()
            continue
        failed = "unpaid" if unpaid else "failed"
        if move_slot(step, item.shard, item.slot, slot, failed, item.code):
            slot.reason = f"{item.code}: {item.message}"
            if item.permanent and item.attempt not in slot.given_up:
                slot.given_up.append(item.attempt)
            if shard.state == "publishing":
                queue_publishing(step.job, item.shard, shard)


def _claimed(
    step: Step, index: int, slot_number: int, attempt: int, item: str
) -> tuple[Shard, Slot] | None:
    """Return the shard and slot that a fact names, if its author was ever given them."""
    found = step.execution(index, attempt, item)
    if found is None:
        return None
    slot = found[0].slots.get(slot_number)
    if slot is None or attempt not in slot.assignees:
        step.illegal(
            f"shard {index} slot {slot_number} {item}", found[0].state, "it was not assigned"
        )
        return None
    return found[0], slot
