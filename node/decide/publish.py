"""Decide who publishes, who takes over, and when publishing has failed for good.

A free slot is simply given to the next execution that agreed. A paid one is taken back first, and
the log then says whether anyone had begun to pay: if not, it is given anew; if so, only the
service knows, and after some asking a person must look.
"""

from collections.abc import Iterable

from events.decisions import (
    PublicationsAssigned,
    PublicationsAssignedData,
    PublicationsRevoked,
    PublicationsRevokedData,
    ShardsFailed,
    ShardsFailedData,
)
from events.items import Assignment, Revocation, ShardFailure, SlotAssignment
from node.decide.view import View, append, one_round
from node.effects import Append, WakeAt
from projections.nodes import lacking
from projections.state import IN_HAND, Shard, Slot

UNPAID = frozenset({"assigned", "retry", "revoked"})
"""States of a paid slot in which nobody has begun to pay, as far as the fold knows."""


def first_assignments(
    view: View, shard: Shard, accepted: tuple[int, ...]
) -> tuple[SlotAssignment, ...]:
    """Return the assignments that go out with the verdict itself."""
    spec = view.job.spec
    assignments: list[SlotAssignment] = []
    for number in range(len(spec.publishers)):
        attempt = _next_publisher(view, shard, number, list(accepted), None)
        if attempt is not None and len(assignments) < spec.slots_needed:
            assignments.append(SlotAssignment(number, attempt))
    return tuple(assignments)


def publish(view: View) -> Append | WakeAt | None:
    """Assign, take over, revoke or give up, whatever the slots ask for."""
    job = view.job
    queue = job.publishing if view.patrol else job.publish_due
    if not queue:
        return None
    assignments: list[Assignment] = []
    revoked: list[Revocation] = []
    failures: list[ShardFailure] = []
    wake_ms = 0
    for index in sorted(queue):
        shard = job.shards[index]
        dead = 0
        active = 0
        for number in _what_is_in_hand_first(shard, len(job.spec.publishers)):
            slot = shard.slots.get(number)
            if slot is not None and _hopeless(view, shard, slot):
                dead += 1
                continue
            if active >= job.spec.slots_needed:
                continue
            step = _next_step(view, index, number, shard, slot)
            if step is None:
                continue  # nobody is here for it: the next publisher stands in
            active += 1
            if isinstance(step, Assignment):
                assignments.append(step)
            elif isinstance(step, Revocation):
                revoked.append(step)
            elif step:
                wake_ms = min(wake_ms, step) if wake_ms else step
        if len(job.spec.publishers) - dead < job.spec.slots_needed:
            failures.append(ShardFailure(index, "publishing", _reasons(view, shard)))
        if len(assignments) + len(revoked) + len(failures) >= view.policy.verdicts_max:
            break
    if failures:
        return append(view, ShardsFailed, ShardsFailedData, shards=one_round(failures))
    if revoked:
        return append(view, PublicationsRevoked, PublicationsRevokedData, revoked=tuple(revoked))
    if assignments:
        until_ms = view.now_ms + view.policy.publish_ms
        return append(
            view,
            PublicationsAssigned,
            PublicationsAssignedData,
            assignments=tuple(assignments),
            until_ms=until_ms,
        )
    return WakeAt(job.id, wake_ms) if wake_ms else None


def _what_is_in_hand_first(shard: Shard, publishers: int) -> list[int]:
    """Return the slots in their order, but those that are begun or filled before all others."""
    begun = {number for number, slot in shard.slots.items() if slot.state in IN_HAND}
    return sorted(range(publishers), key=lambda number: (number not in begun, number))


def _hopeless(view: View, shard: Shard, slot: Slot) -> bool:
    """Whether this publisher has failed for good for this shard."""
    accepted = {a for a, e in enumerate(shard.executions) if e.state == "accepted"}
    nobody = accepted <= set(slot.given_up)
    match slot.state:
        case "retry":
            return nobody or slot.tries >= view.policy.publish_tries_max
        case "doubtful":
            return nobody or slot.lookups >= view.policy.lookups_max
        case "looking":
            return slot.lookups >= view.policy.lookups_max and view.now_ms >= slot.until_ms
        case _:
            return False


def _next_step(
    view: View, index: int, number: int, shard: Shard, slot: Slot | None
) -> Assignment | Revocation | int | None:
    """Return what the slot needs now, or the time to look again (0: it is published).

    None when nobody who agreed can do it now.
    """
    if slot is not None and slot.state in UNPAID and _may_be_paid(view, number):
        return max(slot.until_ms, view.now_ms + view.policy.patience_ms)
    accepted = [a for a, e in enumerate(shard.executions) if e.state == "accepted"]
    if slot is None or slot.state in ("idle", "revoked"):
        attempt = _next_publisher(view, shard, number, accepted, slot)
        return Assignment(index, number, attempt) if attempt is not None else None
    if slot.state == "published":
        return 0
    if slot.state == "retry":
        due_ms = slot.assigned_ms + _pause_ms(view, slot.tries)
        attempt = _next_publisher(view, shard, number, accepted, slot)
        if attempt is None:
            return None
        if view.now_ms < due_ms and attempt in slot.assignees:
            return due_ms
        return Assignment(index, number, attempt)
    if slot.state == "doubtful":
        due_ms = slot.assigned_ms + _pause_ms(view, 1 + slot.lookups)
        attempt = _next_publisher(view, shard, number, accepted, slot)
        if attempt is None:
            return None
        return Assignment(index, number, attempt, lookup=True) if view.now_ms >= due_ms else due_ms
    return _take_over(view, index, number, shard, slot)


def _may_be_paid(view: View, number: int) -> bool:
    """Whether what was skipped, as only a newer version of Lota knows it, may be a paid start."""
    return bool(view.job.newer) and view.job.spec.publishers[number].driver in view.policy.paid


def _take_over(
    view: View, index: int, number: int, shard: Shard, slot: Slot
) -> Assignment | Revocation | int | None:
    """Look after a slot that somebody has in hand: assigned, started or looking."""
    node = view.nodes.members.get(shard.executions[slot.attempt].node)
    gone = node is None or node.state in ("left", "lost")
    late = view.now_ms >= slot.until_ms
    if not late and not gone:
        return slot.until_ms
    looking = slot.state == "looking"
    if view.job.spec.publishers[number].driver in view.policy.paid and not looking:
        why = "its node is gone" if gone else "not published in time"
        return Revocation(index, number, slot.attempt, why)
    accepted = [a for a, e in enumerate(shard.executions) if e.state == "accepted"]
    attempt = _next_publisher(view, shard, number, accepted, slot)
    if attempt is None:
        return None if late else slot.until_ms
    return Assignment(index, number, attempt, lookup=looking)


def _next_publisher(
    view: View, shard: Shard, number: int, accepted: list[int], slot: Slot | None
) -> int | None:
    """Return the accepted execution whose node should publish next, None if none can now.

    One that has not tried comes first, then the one after the last.
    """
    able = able_to_publish(view, shard, number, accepted)
    if slot is None:
        return able[0] if able else None
    able = [attempt for attempt in able if attempt not in slot.given_up]
    if not able:
        return None
    return min(
        able, key=lambda attempt: (attempt in slot.assignees, attempt <= slot.attempt, attempt)
    )


def able_to_publish(
    view: View, shard: Shard, number: int, accepted: Iterable[int] | None = None
) -> list[int]:
    """Return the accepted executions whose nodes are present and can use that publisher."""
    if accepted is None:
        accepted = [a for a, e in enumerate(shard.executions) if e.state == "accepted"]
    publisher = view.job.spec.publishers[number]
    able: list[int] = []
    for attempt in accepted:
        node = view.nodes.members.get(shard.executions[attempt].node)
        if node is None or node.state in ("left", "lost"):
            continue
        if not lacking(node.capabilities, publisher):
            able.append(attempt)
    return able


def _pause_ms(view: View, tries: int) -> int:
    pause_ms = view.policy.publish_backoff_ms << min(max(tries - 1, 0), 16)
    return min(pause_ms, view.policy.publish_backoff_ms_max)


def _reasons(view: View, shard: Shard) -> str:
    parts: list[str] = []
    for number, slot in sorted(shard.slots.items()):
        if slot.state == "published":
            continue
        driver = view.job.spec.publishers[number].driver
        doubt = " and nobody can tell whether it was paid: a person must look"
        parts.append(f"{driver}: {slot.reason}{doubt if slot.state == 'doubtful' else ''}")
    return "; ".join(parts) or "no node can publish it"
