"""Decide what is lost, when commitments are opened, and what is accepted."""

import msgspec

from events.commitment import execution_id
from events.decisions import (
    ExecutionsLost,
    ExecutionsLostData,
    ResultsJudged,
    ResultsJudgedData,
    RevealsRequested,
    RevealsRequestedData,
    ShardsFailed,
    ShardsFailedData,
)
from events.items import ExecutionRef, Judgement, Loss, ShardFailure
from node.decide.cohorts import Cohort
from node.decide.publish import first_assignments
from node.decide.view import View, append, attempts_left, one_round
from node.effects import Append
from projections.judgement import Witness, judge
from projections.state import BUSY, COMMITTED, Execution, Shard


def lose(view: View) -> Append | None:
    """Give up on executions whose time is over or whose node is gone."""
    job = view.job
    lost: list[Loss] = []
    for index, shard in enumerate(job.shards):
        if shard.state not in ("running", "verifying"):
            continue
        for attempt, execution in enumerate(shard.executions):
            if execution.state in BUSY:
                why = _gone(view, index, attempt, execution)
                if why:
                    lost.append(Loss(index, attempt, why))
        if len(lost) >= view.policy.round_items_max:
            break
    if not lost:
        return None
    kept = lost[: view.policy.round_items_max]
    return append(view, ExecutionsLost, ExecutionsLostData, lost=one_round(kept))


def _gone(view: View, index: int, attempt: int, execution: Execution) -> str:
    if view.now_ms >= execution.until_ms:
        return "no result in time"
    node = view.nodes.members.get(execution.node)
    if node is None:
        return "its node is unknown"
    if node.state == "lost":
        return "its node is lost"
    if node.state == "left":
        # One that is only restarted comes back within the grace, and takes up what still runs.
        away = view.now_ms >= node.left_ms + view.policy.presence_ms
        return "its node left" if away else ""
    if node.position > execution.position:
        name = execution_id(view.job.id, index, attempt)
        if name not in node.holds:
            return "its node restarted and does not hold it"
    return ""


def reveal(view: View) -> Append | None:
    """Ask for reveals, once a shard, when enough have committed and nobody else is under way."""
    job = view.job
    asked: list[ExecutionRef] = []
    for index in sorted(_queue(view)):
        shard = job.shards[index]
        if job.spec.deal.replicas == 1 or shard.revealing or not _committed_enough(view, shard):
            continue
        asked += [
            ExecutionRef(index, attempt)
            for attempt, execution in enumerate(shard.executions)
            if execution.state == "proposed"
        ]
        if len(asked) + job.spec.deal.replicas > view.policy.round_items_max:
            break
    if not asked:
        return None
    return append(
        view,
        RevealsRequested,
        RevealsRequestedData,
        executions=tuple(asked),
        until_ms=view.now_ms + view.policy.reveal_ms,
    )


def _queue(view: View) -> set[int]:
    """Return the shards to look at; a deadline that passed is found by a patrol."""
    return view.job.judging if view.patrol else view.job.verdict_due


def _committed_enough(view: View, shard: Shard) -> bool:
    committed = 0
    for execution in shard.executions:
        if execution.state in BUSY:
            return False
        if execution.state in COMMITTED:
            committed += 1
    return committed >= view.job.spec.deal.confidence


def judge_shards(view: View) -> Append | None:
    """Judge the shards whose claims are all on the table, or had the time to be."""
    job = view.job
    judgements: list[Judgement] = []
    for index in sorted(_queue(view)):
        shard = job.shards[index]
        if not _ready(view, shard):
            continue
        witnesses = {
            attempt: Witness(execution.node, execution.claim)
            for attempt, execution in enumerate(shard.executions)
            if execution.state in COMMITTED
        }
        verdict = judge(index, witnesses, job.spec.deal.confidence)
        if verdict.claim is not None and verdict.claim.exit_code == 0:
            publish = first_assignments(view, shard, verdict.accepted)
            verdict = msgspec.structs.replace(verdict, publish=publish)
        judgements.append(verdict)
        if len(judgements) >= view.policy.verdicts_max:
            break
    if not judgements:
        return None
    publishes = any(judgement.publish for judgement in judgements)
    return append(
        view,
        ResultsJudged,
        ResultsJudgedData,
        judgements=one_round(judgements),
        publish_until_ms=view.now_ms + view.policy.publish_ms if publishes else 0,
    )


def _ready(view: View, shard: Shard) -> bool:
    if view.job.spec.deal.replicas == 1:
        return any(execution.state == "proposed" for execution in shard.executions)
    if not shard.revealing:
        return False
    waiting = any(e.asked and e.state == "proposed" for e in shard.executions)
    return not waiting or view.now_ms >= shard.reveal_until_ms


def give_up(view: View, waiting: list[Cohort]) -> Append | None:
    """Fail the shards that can no longer come to agreement: every allowed execution is used up."""
    job = view.job
    failures: list[ShardFailure] = []
    for shard, indexes in waiting:
        if attempts_left(view, shard) or any(e.state in BUSY for e in shard.executions):
            continue
        committed = sum(1 for e in shard.executions if e.state in COMMITTED)
        if committed >= job.spec.deal.confidence:
            continue
        reasons = "; ".join(f"{e.node}: {e.reason}" for e in shard.executions[-3:] if e.reason)
        why = f"{len(shard.executions)} executions failed ({reasons})"
        failures += [ShardFailure(index, "infrastructure", why) for index in indexes]
        if len(failures) >= view.policy.verdicts_max:
            break
    if not failures:
        return None
    return append(
        view, ShardsFailed, ShardsFailedData, shards=one_round(failures[: view.policy.verdicts_max])
    )
