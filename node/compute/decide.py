"""What a compute node does about one job on its desk. Plain functions of the desk and the rules.

At most one fact of a job is on its way at a time; what gathers meanwhile goes out with the next, as
one event per type. So a job costs messages by rounds and nodes, not by shards.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from events.codec import AnyEvent
from events.commitment import commit, execution_id, nonce
from events.facts import (
    BidsDeclined,
    BidsDeclinedData,
    BidsPlaced,
    BidsPlacedData,
    ExecutionsFailed,
    ExecutionsFailedData,
    ExecutionsStarted,
    ExecutionsStartedData,
    InputsListed,
    InputsListedData,
    PublishFailed,
    PublishFailedData,
    PublishStarted,
    PublishStartedData,
    ResultsProposed,
    ResultsProposedData,
    ResultsPublished,
    ResultsPublishedData,
    ResultsRevealed,
    ResultsRevealedData,
)
from events.items import (
    Bid,
    Capabilities,
    Decline,
    ExecutionRef,
    Failure,
    Proposal,
    Publication,
    PublishFailure,
    PublishStart,
    Reveal,
    RootFailure,
    RootPublication,
)
from events.spec import JobSpec
from node.compute.desk import DeskJob, Task, Upload
from node.effects import Append, Effect, ListInputs, Publish, PublishRoot, Stop
from projections.nodes import Node, refusal

SHORT_MS = 60_000
"""Executions that may take less are queued deep, run again after a crash, and not announced."""
QUEUE_MAX = 1_000
BULKY_MAX = 500
"""Items with a claim, a URI or a message are longer, so an event holds fewer of them."""
SHORT_DEPTH = 128
LONG_DEPTH = 2


class Place(NamedTuple):
    """The node that decides: its name, its secret, what it can do, and how much it has to do."""

    node: str
    secret: bytes
    capabilities: Capabilities
    taken: int
    draining: bool
    paid: frozenset[str]


class Turn(NamedTuple):
    """One job being decided about, by a node, at a time."""

    job: DeskJob
    place: Place
    now_ms: int


def decide_desk(job: DeskJob, place: Place, *, now_ms: int) -> list[Effect]:
    """Return the effects that are due for a job, without the runs (see `free_to_run`)."""
    effects: list[Effect] = []
    for task in _due(job):
        if task.state == "stopping":
            effects.append(Stop(job.id, task.shard, task.attempt))
        effects.extend(_publish(job, task, place))
    if job.spec is not None and not job.closed:
        asked = (root for root in job.roots.values() if root.upload.state == "asked")
        effects.extend(PublishRoot(job.id, root.slot) for root in asked)
    if job.listing == "due":
        effects.append(ListInputs(job.id))
    if not job.sending and not job.doubt:
        turn = Turn(job, place, now_ms)
        for step in (_answers, _started, _failures, _proposals, _reveals, _starts, _published):
            fact = step(turn)
            if fact is not None:
                effects.append(fact)
                break
    return effects


def _due(job: DeskJob) -> list[Task]:
    return [job.tasks[key] for key in job.due]


def _fact(job: DeskJob, kind: type[AnyEvent], data: Any, fence: int | None = None) -> Append:
    return Append(job=job.id, kind=kind, data=data, cause="", fence=fence)


def _answers(turn: Turn) -> Append | None:
    """Bid for offers, or decline them with a reason that their owner understands."""
    job, place = turn.job, turn.place
    due = [number for number, state in job.offers.items() if state == "due"]
    if not due or job.spec is None or job.closed:
        return None
    due = due[:QUEUE_MAX]
    free = allowance(job.spec, place)
    why = _refuses(job.spec, place, turn.now_ms)
    if why or free <= 0:
        code = "unable" if why else "busy"
        message = why or f"it has {place.taken} executions waiting already"
        declines = tuple(Decline(number, code, message) for number in due)
        return _fact(job, BidsDeclined, BidsDeclinedData(declines=declines))
    width = width_for(job.spec, place.capabilities)
    bids = tuple(Bid(number, free, width) for number in due)
    return _fact(job, BidsPlaced, BidsPlacedData(bids=bids))


def _refuses(spec: JobSpec, place: Place, now_ms: int) -> str:
    node = Node(
        name=place.node,
        incarnation="",
        capabilities=place.capabilities,
        joined_at="",
        position=0,
        state="draining" if place.draining else "live",
    )
    return refusal(node, spec, now_ms)


def width_for(spec: JobSpec, can: Capabilities) -> int:
    """Return how many executions of a job the node can run at one time."""
    if spec.engine == "noop":
        return QUEUE_MAX
    return max(1, int(can.width / max(spec.resources.cpu, 0.01)))


def allowance(spec: JobSpec, place: Place) -> int:
    """Return how many executions of a job the node takes at one time, running or queued."""
    room = QUEUE_MAX - place.taken
    if spec.engine == "noop":
        return room
    depth = SHORT_DEPTH if spec.timeout_ms < SHORT_MS else LONG_DEPTH
    return min(room, depth * width_for(spec, place.capabilities))


def _started(turn: Turn) -> Append | None:
    job = turn.job
    refs = tuple(
        ExecutionRef(task.shard, task.attempt)
        for task in _due(job)
        if task.started == "due" and task.state == "running"
    )[:QUEUE_MAX]
    return _fact(job, ExecutionsStarted, ExecutionsStartedData(executions=refs)) if refs else None


def _failures(turn: Turn) -> Append | None:
    job = turn.job
    failures = tuple(
        Failure(task.shard, task.attempt, task.code, task.message)
        for task in _due(job)
        if task.state == "failing"
    )[:BULKY_MAX]
    if not failures:
        return None
    return _fact(job, ExecutionsFailed, ExecutionsFailedData(failures=failures))


def _proposals(turn: Turn) -> Append | None:
    """Propose what has finished; a fused result that is published needs no proposal."""
    job, place = turn.job, turn.place
    if job.spec is None:
        return None
    fused: list[Publication] = []
    proposals: list[Proposal] = []
    for task in _due(job):
        if task.state != "finished" or task.claim is None:
            continue
        uploads = list(task.uploads.values())
        if any(upload.state in ("ready", "working") for upload in uploads):
            continue
        if uploads and all(upload.state == "done" for upload in uploads):
            fused.extend(_publication(task, upload, with_claim=True) for upload in uploads)
        else:
            proposals.append(_proposal(job, job.spec, task, place))
        if max(2 * len(fused), len(proposals)) >= QUEUE_MAX:
            break
    if fused:
        return _fact(job, ResultsPublished, ResultsPublishedData(publications=tuple(fused)))
    if proposals:
        return _fact(job, ResultsProposed, ResultsProposedData(proposals=tuple(proposals)))
    return None


def _proposal(job: DeskJob, spec: JobSpec, task: Task, place: Place) -> Proposal:
    if task.claim is None:
        raise AssertionError("a finished task has its claim")
    if spec.deal.replicas == 1:
        return Proposal(task.shard, task.attempt, claim=task.claim)
    secret = nonce(place.secret, execution_id(job.id, task.shard, task.attempt))
    seal = commit(job.id, task.shard, task.attempt, place.node, task.claim, secret)
    return Proposal(task.shard, task.attempt, commitment=seal)


def _reveals(turn: Turn) -> Append | None:
    """Open what was asked for; a proposal must be on the log first."""
    job, place = turn.job, turn.place
    reveals: list[Reveal] = []
    lost: list[Failure] = []
    for task in _due(job):
        if task.reveal != "due" or task.state not in ("told", "failing"):
            continue
        if task.claim is None:
            message = "the node no longer holds what it committed to"
            lost.append(Failure(task.shard, task.attempt, "lost_state", message))
            continue
        secret = nonce(place.secret, execution_id(job.id, task.shard, task.attempt))
        reveals.append(Reveal(task.shard, task.attempt, task.claim, secret))
        if len(reveals) >= BULKY_MAX:
            break
    if reveals:
        return _fact(job, ResultsRevealed, ResultsRevealedData(reveals=tuple(reveals)))
    if lost:
        return _fact(job, ExecutionsFailed, ExecutionsFailedData(failures=tuple(lost)))
    return None


def _uploads(job: DeskJob) -> Iterator[tuple[Task, Upload]]:
    for task in _due(job):
        for upload in task.uploads.values():
            yield task, upload


def _is_paid(job: DeskJob, upload: Upload, place: Place) -> bool:
    return job.spec is not None and job.spec.publishers[upload.slot].driver in place.paid


def _starts(turn: Turn) -> Append | None:
    """Say that a paid publication is about to be made, under the fence of its assignment."""
    job, place = turn.job, turn.place
    for task, upload in _uploads(job):
        if (
            upload.state == "asked"
            and upload.sure
            and not upload.lookup
            and task.claim is not None
            and _is_paid(job, upload, place)
        ):
            start = PublishStart(task.shard, upload.slot, task.attempt, upload.decision)
            data = PublishStartedData(starts=(start,))
            return _fact(job, PublishStarted, data, fence=upload.fence)
    return None


def _publish(job: DeskJob, task: Task, place: Place) -> Iterator[Publish]:
    """Publish what may be: free slots when asked, paid ones once that is on the log."""
    if job.spec is None:
        return
    for upload in task.uploads.values():
        paid = _is_paid(job, upload, place)
        if upload.state == "ready" or (
            upload.state == "asked" and (upload.lookup or not paid or task.claim is None)
        ):
            yield Publish(
                job=job.id,
                shard=task.shard,
                slot=upload.slot,
                attempt=task.attempt,
                assignment=upload.decision,
                fence=upload.fence,
                paid=paid,
                lookup=upload.lookup,
                claim=task.claim,
            )


def _publication(task: Task, upload: Upload, *, with_claim: bool) -> Publication:
    return Publication(
        shard=task.shard,
        slot=upload.slot,
        attempt=task.attempt,
        uri=upload.uri,
        cid=upload.cid,
        size_bytes=upload.size_bytes,
        duration_ms=upload.duration_ms,
        claim=task.claim if with_claim else None,
    )


def _published(turn: Turn) -> Append | None:
    """Say which publications succeeded, then which did not; and what listing came to.

    The job's root comes when its shards are long published, so it has its own fact.
    """
    job = turn.job
    done: list[Publication] = []
    problems: list[PublishFailure] = []
    for task, upload in _uploads(job):
        if task.state != "told":
            continue
        if upload.state == "done":
            done.append(_publication(task, upload, with_claim=False))
        elif upload.state == "failed":
            problems.append(
                PublishFailure(
                    shard=task.shard,
                    slot=upload.slot,
                    attempt=task.attempt,
                    code=upload.code,
                    message=upload.message,
                    permanent=upload.permanent,
                    unpaid=upload.unpaid,
                    assignment=upload.decision,
                )
            )
    if done:
        publications = tuple(done[:BULKY_MAX])
        return _fact(job, ResultsPublished, ResultsPublishedData(publications=publications))
    if problems:
        failures = tuple(problems[:BULKY_MAX])
        return _fact(job, PublishFailed, PublishFailedData(failures=failures))
    roots = _roots(job)
    if roots is not None:
        return roots
    if job.listing == "done":
        data = InputsListedData(inputs=job.listed, error=job.listing_error)
        return _fact(job, InputsListed, data)
    return None


def _roots(job: DeskJob) -> Append | None:
    """Say what became of the job's root."""
    done: list[RootPublication] = []
    problems: list[RootFailure] = []
    for root in job.roots.values():
        upload = root.upload
        if upload.state == "done":
            done.append(
                RootPublication(
                    slot=root.slot,
                    shard=root.shard,
                    attempt=root.attempt,
                    uri=upload.uri,
                    cid=upload.cid,
                    size_bytes=upload.size_bytes,
                    duration_ms=upload.duration_ms,
                )
            )
        elif upload.state == "failed":
            problems.append(
                RootFailure(
                    slot=root.slot,
                    shard=root.shard,
                    attempt=root.attempt,
                    code=upload.code,
                    message=upload.message,
                )
            )
    if done:
        data = ResultsPublishedData(publications=(), roots=tuple(done))
        return _fact(job, ResultsPublished, data)
    if problems:
        return _fact(job, PublishFailed, PublishFailedData(failures=(), roots=tuple(problems)))
    return None
