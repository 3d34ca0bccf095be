"""Fold commit, reveal and verdict."""

from events.commitment import commit
from events.decisions import ResultsJudged, RevealsRequested
from events.facts import ResultsRevealed
from events.items import Judgement
from projections.evolve.publishing import assign
from projections.evolve.step import Step, finish, settle
from projections.state import Shard, Verdict


def reveals_requested(step: Step, event: RevealsRequested) -> None:
    """From here on the shard's answers are public: no new execution, no new commitment."""
    touched: dict[int, Shard] = {}
    for item in event.data.executions:
        if item.shard not in touched:
            shard = step.shard(item.shard, "asked")
            if shard is None:
                continue
            touched[item.shard] = shard
        found = step.execution(item.shard, item.attempt, "asked")
        if found is not None and step.move(item.shard, item.attempt, found[1], "asked"):
            found[1].asked = True
    for index, shard in touched.items():
        shard.revealing = True
        shard.reveal_until_ms = event.data.until_ms
        settle(step, index, shard)


def results_revealed(step: Step, event: ResultsRevealed) -> None:
    """Open commitments. A reveal unasked, or not opening its commitment, is void."""
    for item in event.data.reveals:
        found = step.execution(item.shard, item.attempt, "revealed")
        if found is None:
            continue
        shard, execution = found
        if execution.state == "proposed":
            if not execution.asked:
                step.illegal(f"shard {item.shard} revealed", shard.state, "nobody asked for it")
                continue
            opened = commit(
                step.job.id, item.shard, item.attempt, step.author, item.claim, item.nonce
            )
            if opened != execution.commitment:
                step.illegal(
                    f"shard {item.shard} revealed", shard.state, "it is not what was sealed"
                )
                continue
        if step.move(item.shard, item.attempt, execution, "revealed"):
            execution.claim = item.claim
            execution.nonce = item.nonce
            settle(step, item.shard, shard)


def results_judged(step: Step, event: ResultsJudged) -> None:
    """Take the verdicts; an accepted result with exit code 0 goes on to be published."""
    for item in event.data.judgements:
        shard = step.shard(item.shard, "judged")
        if shard is not None:
            _judge(step, item, shard, event)


def _judge(step: Step, item: Judgement, shard: Shard, event: ResultsJudged) -> None:
    job = step.job
    attempts = [*item.accepted, *(rejection.attempt for rejection in item.rejected)]
    if any(not 0 <= attempt < len(shard.executions) for attempt in attempts):
        step.illegal(
            f"shard {item.shard} judged", shard.state, "it names no execution of the shard"
        )
        return
    if item.result == "accepted" and (item.claim is None or not item.accepted):
        step.illegal(f"shard {item.shard} judged", shard.state, "an acceptance names its claim")
        return
    for attempt in item.accepted:
        step.move(item.shard, attempt, shard.executions[attempt], "accepted")
    for rejection in item.rejected:
        execution = shard.executions[rejection.attempt]
        if step.move(item.shard, rejection.attempt, execution, "rejected"):
            execution.reason = rejection.reason
    if step.moves is not None:
        step.moves.append(("verdict", item.result, item.shard, "", "", ""))
    shard.verdict = Verdict(
        result=item.result,
        accepted=list(item.accepted),
        rejected=[rejection.attempt for rejection in item.rejected],
        reason=item.reason,
        claim=item.claim,
    )
    if item.result == "failed":
        shard.code, shard.reason = "disagreement", item.reason
        finish(step, item.shard, shard, "failed")
    elif item.claim is not None and item.claim.exit_code != 0:
        shard.code, shard.reason = "user", f"the command exited with {item.claim.exit_code}"
        finish(step, item.shard, shard, "failed")
    elif not job.spec.slots_needed:
        finish(step, item.shard, shard, "completed")
    else:
        job.judging.discard(item.shard)
        job.verdict_due.discard(item.shard)
        settle(step, item.shard, shard)
        for assignment in item.publish:
            assign(
                step,
                item.shard,
                shard,
                slot_number=assignment.slot,
                attempt=assignment.attempt,
                until_ms=event.data.publish_until_ms,
                lookup=False,
            )
