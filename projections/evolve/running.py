"""Fold what becomes of executions: started, failed, lost, proposed."""

from events.decisions import ExecutionsLost, ShardsFailed
from events.facts import ExecutionsFailed, ExecutionsStarted, ResultsProposed
from events.items import Claim
from projections.evolve.step import Step, finish, settle
from projections.state import Execution, Shard, Verdict


def executions_started(step: Step, event: ExecutionsStarted) -> None:
    """The commands run now."""
    for item in event.data.executions:
        found = step.execution(item.shard, item.attempt, "started")
        if found is not None:
            step.move(item.shard, item.attempt, found[1], "started")


def executions_failed(step: Step, event: ExecutionsFailed) -> None:
    """Infrastructure failed them; the shard waits for a place again."""
    for item in event.data.failures:
        found = step.execution(item.shard, item.attempt, "failed")
        if found is None:
            continue
        shard, execution = found
        if step.move(item.shard, item.attempt, execution, "failed", item.code):
            execution.reason = f"{item.code}: {item.message}"
            execution.ended = True
            _release_slots(shard, item.attempt)
            settle(step, item.shard, shard)


def executions_lost(step: Step, event: ExecutionsLost) -> None:
    """The requester gives them up, whatever their nodes say later."""
    for item in event.data.lost:
        found = step.execution(item.shard, item.attempt, "lost")
        if found is None:
            continue
        shard, execution = found
        if step.move(item.shard, item.attempt, execution, "lost"):
            execution.reason = item.reason
            _release_slots(shard, item.attempt)
            settle(step, item.shard, shard)


def _release_slots(shard: Shard, attempt: int) -> None:
    """Free the slots that a fused award gave to an execution that came to nothing."""
    for slot in shard.slots.values():
        if slot.attempt == attempt and slot.state == "assigned":
            slot.state = "idle"


def results_proposed(step: Step, event: ResultsProposed) -> None:
    """Commands ended. A fused job's clean result is its own verdict; all else is judged."""
    fused = step.job.spec.fused
    for item in event.data.proposals:
        found = step.execution(item.shard, item.attempt, "proposed")
        if found is None:
            continue
        shard, execution = found
        if shard.revealing and execution.state != "proposed":
            step.late()
            continue
        if fused and item.claim is not None and item.claim.exit_code == 0:
            conclude(step, item.shard, item.attempt, shard, execution, item.claim)
            continue
        if step.job.spec.deal.replicas > 1 and (item.claim is not None or not item.commitment):
            step.illegal(
                f"shard {item.shard} proposed", shard.state, "the deal asks to commit first"
            )
            continue
        if step.move(item.shard, item.attempt, execution, "proposed"):
            execution.commitment = item.commitment
            execution.claim = item.claim
            execution.ended = True
            settle(step, item.shard, shard)


def conclude(
    step: Step, index: int, attempt: int, shard: Shard, execution: Execution, claim: Claim
) -> bool:
    """Accept a claim that is its own verdict; True when the execution is accepted by it."""
    if not step.move(index, attempt, execution, "concluded"):
        return False
    if step.moves is not None:
        step.moves.append(("verdict", "unverified", index, "", "", ""))
    execution.claim = claim
    execution.ended = True
    shard.verdict = Verdict(
        result="accepted", accepted=[attempt], rejected=[], reason="unverified", claim=claim
    )
    if step.job.spec.slots_needed:
        settle(step, index, shard)
    else:
        finish(step, index, shard, "completed")
    return True


def shards_failed(step: Step, event: ShardsFailed) -> None:
    """Shards are given up on; what still runs of them is cancelled."""
    for item in event.data.shards:
        shard = step.shard(item.shard, "failed")
        if shard is not None:
            shard.code, shard.reason = item.code, item.reason
            finish(step, item.shard, shard, "failed")
