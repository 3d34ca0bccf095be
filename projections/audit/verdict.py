"""Prove what was given up on, when commitments were opened, and what was accepted."""

from collections.abc import Iterator

from events.commitment import commit, execution_id
from events.decisions import ExecutionsLost, ResultsJudged, RevealsRequested
from events.items import Judgement
from projections.audit.placement import Case, Wrong
from projections.judgement import Witness, judge
from projections.state import BUSY, COMMITTED, Execution, Shard


def verdicts(case: Case, event: ResultsJudged) -> Iterator[Wrong]:
    """Find what is wrong with verdicts, from the commitments and reveals before them."""
    for told in event.data.judgements:
        if 0 <= told.shard < len(case.job.shards):
            yield from _verdict(case, told, case.job.shards[told.shard])


def _verdict(case: Case, told: Judgement, shard: Shard) -> Iterator[Wrong]:
    job, index = case.job, told.shard
    name = f"shard {index} is judged"
    witnesses: dict[int, Witness] = {}
    for attempt, execution in enumerate(shard.executions):
        if execution.state not in COMMITTED:
            continue
        witnesses[attempt] = Witness(execution.node, execution.claim)
        if execution.claim is not None and execution.commitment:
            opened = (index, attempt, execution.node, execution.claim, execution.nonce)
            if commit(job.id, *opened) != execution.commitment:
                yield f"{name} by a claim of {execution.node}", "a claim opens its commitment"
    # Who was asked to open a commitment may have lost what it was to: then nobody is left.
    if not witnesses and not shard.revealing:
        yield f"{name} and nobody had committed", "a verdict follows from commitments"
        return
    right = judge(index, witnesses, job.spec.deal.confidence)
    if _core(told) != _core(right):
        yield f"{name}: {_words(told)}", f"the claims make it: {_words(right)}"
    if job.spec.deal.replicas > 1:
        waiting = [e.node for e in shard.executions if e.asked and e.state == "proposed"]
        if not shard.revealing:
            yield f"{name} before reveals were requested", "reveals.requested comes before"
        elif waiting and case.now_ms < shard.reveal_until_ms:
            late = f"{', '.join(waiting)} may still reveal"
            yield f"{name} before the time for reveals is over", late


def _core(judgement: Judgement) -> tuple[object, ...]:
    rejected = tuple(rejection.attempt for rejection in judgement.rejected)
    return judgement.result, judgement.accepted, rejected, judgement.claim


def _words(judgement: Judgement) -> str:
    claim = f" {judgement.claim.cid}" if judgement.claim is not None else ""
    rejected = [rejection.attempt for rejection in judgement.rejected]
    return f"{judgement.result}{claim} by {list(judgement.accepted)}, rejected {rejected}"


def reveals(case: Case, event: RevealsRequested) -> Iterator[Wrong]:
    """Find what is wrong with a request for reveals: all who commit have, and all are asked."""
    job = case.job
    asked: dict[int, set[int]] = {}
    for item in event.data.executions:
        asked.setdefault(item.shard, set()).add(item.attempt)
    for index, attempts in asked.items():
        if not 0 <= index < len(job.shards):
            continue
        executions = job.shards[index].executions
        busy = [e.node for e in executions if e.state in BUSY]
        committed = {a for a, e in enumerate(executions) if e.state == "proposed"}
        name = f"reveals of shard {index} are requested"
        if busy:
            yield f"{name} while {', '.join(busy)} is under way", "all others have ended before"
        if len(committed) < job.spec.deal.confidence:
            right = f"{job.spec.deal.confidence} have committed before"
            yield f"{name} of {len(committed)} commitments", right
        if attempts != committed:
            right = f"all who committed are asked: {sorted(committed)}"
            yield f"{name} of {sorted(attempts)}", right


def losses(case: Case, event: ExecutionsLost) -> Iterator[Wrong]:
    """Find executions that were given up on before their time and with their node still there."""
    job = case.job
    for item in event.data.lost:
        if not 0 <= item.shard < len(job.shards):
            continue
        executions = job.shards[item.shard].executions
        if not 0 <= item.attempt < len(executions):
            continue
        execution = executions[item.attempt]
        name = execution_id(job.id, item.shard, item.attempt)
        if execution.state in BUSY and _there(case, execution, name):
            yield (
                f"{name} is given up on: {item.reason}",
                f"{execution.node} is there and has time until {execution.until_ms}",
            )


def _there(case: Case, execution: Execution, name: str) -> bool:
    """Whether an execution had time left, on a node that is there and has it."""
    if case.now_ms >= execution.until_ms:
        return False
    node = case.nodes.get(execution.node)
    if node is None or node.state in ("lost", "left"):
        return False
    return node.position < execution.position or name in node.holds
