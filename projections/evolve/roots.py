"""Fold how the job's root, a folder over its shards, comes to the services that find by CID."""

from events.decisions import PublicationsAssigned
from events.facts import PublishFailed, ResultsPublished
from events.items import RootAssignment, RootFailure, RootPublication
from projections.evolve.step import Step
from projections.state import RootSlot
from projections.transitions import ILLEGAL, LATE, ROOT


def roots_assigned(step: Step, event: PublicationsAssigned) -> None:
    """Which nodes publish the root, from here on."""
    for item in event.data.roots:
        _assign(step, event, item)


def _assign(step: Step, event: PublicationsAssigned, item: RootAssignment) -> None:
    job, name = step.job, f"root slot {item.slot} assigned"
    if not 0 <= item.slot < len(job.spec.publishers):
        step.illegal(name, job.state, "the job names no such publisher")
        return
    if job.counts.get("completed", 0) != len(job.shards):
        step.illegal(name, job.state, "not every shard is completed")
        return
    found = step.execution(item.shard, item.attempt, "root assigned")
    if found is None:
        return
    if found[1].state != "accepted":
        step.illegal(name, found[1].state, "only an accepted execution publishes")
        return
    slot = job.roots.setdefault(item.slot, RootSlot())
    if not _move(step, slot, item.slot, "assigned"):
        return
    slot.shard, slot.attempt, slot.node = item.shard, item.attempt, found[1].node
    slot.cid, slot.blob = event.data.root_cid, event.data.root_blob
    slot.decision = event.id
    slot.assigned_ms, slot.until_ms = step.entry.time_ms, event.data.until_ms
    slot.tries += 1
    if slot.node not in slot.nodes:
        slot.nodes.append(slot.node)


def roots_published(step: Step, event: ResultsPublished) -> None:
    """The root is there."""
    for item in event.data.roots:
        slot = _given(step, item)
        if slot is None:
            continue
        if item.cid != slot.cid:
            step.illegal(f"root slot {item.slot} published", slot.state, "it is another root")
        elif _move(step, slot, item.slot, "published", item.size_bytes):
            slot.uri = item.uri


def roots_failed(step: Step, event: PublishFailed) -> None:
    """The root could not be published by who had it."""
    for item in event.data.roots:
        slot = _given(step, item)
        if slot is None:
            continue
        if slot.node != step.author:
            step.late()
        elif _move(step, slot, item.slot, "failed", item.code):
            slot.reason = f"{item.code}: {item.message}"


def _given(step: Step, item: RootPublication | RootFailure) -> RootSlot | None:
    """Return the slot that a fact names, if its author was ever given it."""
    slot = step.job.roots.get(item.slot)
    if slot is None or step.author not in slot.nodes:
        step.illegal(f"root slot {item.slot}", step.job.state, "it was not assigned")
        return None
    return slot


def _move(step: Step, slot: RootSlot, number: int, item: str, detail: str | int = "") -> bool:
    after = ROOT[slot.state, item]
    if after is LATE:
        step.late()
        return False
    if after is ILLEGAL:
        step.illegal(f"root slot {number} {item}", slot.state, "not in this state")
        return False
    step.did("root", item, number, slot.state, after, detail)
    slot.state = after  # type: ignore[assignment]
    return True
