"""What a compute node has on its desk: the fold of its orders, its own facts and its own memory.

Everything is keyed by job, shard and attempt and moves forward only, so orders may come late, twice
or out of order. Nothing here performs anything; `node.compute.decide` says what is due.
"""

import msgspec

from events.commitment import execution_id
from events.facts import (
    BidsDeclined,
    BidsPlaced,
    ExecutionsFailed,
    ExecutionsStarted,
    Fact,
    InputsListed,
    PublishFailed,
    PublishStarted,
    ResultsProposed,
    ResultsPublished,
    ResultsRevealed,
)
from events.items import Claim
from node.compute.tasks import (
    ANNOUNCED_MS,
    Desk,
    DeskJob,
    Key,
    RootTask,
    Task,
    TaskState,
    Upload,
    UploadState,
)
from node.orders import Orders, PublishOrder, RootOrder

__all__ = [
    "ANNOUNCED_MS",
    "Desk",
    "DeskJob",
    "Key",
    "RootTask",
    "Task",
    "TaskState",
    "Upload",
    "UploadState",
    "acknowledge",
    "announce",
    "disposable",
    "failed",
    "finished",
    "held",
    "refused",
    "running",
    "sweep",
    "take",
]


def take(desk: Desk, orders: Orders) -> DeskJob | None:
    """Fold orders; return the job they touch, None if there is nothing of it here."""
    job = desk.jobs.get(orders.job)
    if job is None:
        if orders.closed:
            return None
        job = desk.jobs[orders.job] = DeskJob(id=orders.job)
        # Whoever is awarded something has bid before: an order that comes first may be an old one.
        job.doubt = not orders.complete and bool(orders.run or orders.reveal or orders.publish)
    job.unheard = False
    if orders.spec is not None and (job.spec is None or len(job.inputs) == 0):
        job.spec = orders.spec
    if orders.spec is not None:
        job.inputs = orders.inputs
        job.shards = orders.shards or job.shards
        job.traceparent = orders.traceparent
    job.fence = max(job.fence, orders.fence)
    if orders.held:
        orders = _without_paid(desk, job, orders)
    if orders.list_inputs and job.listing == "":
        job.listing = "due"
    _take_work(job, orders)
    if orders.closed:
        job.closed = True
        for key in list(job.tasks):
            _stop(job, key)
    if orders.complete:
        _drop_unasked(job, orders)
    unknown = job.spec is None and bool(job.tasks or job.offers or job.roots)
    if not job.closed and (unknown or (desk.paid and _unsure(job, desk.paid))):
        job.doubt = True
    return job


def _without_paid(desk: Desk, job: DeskJob, orders: Orders) -> Orders:
    """Leave out what would cost money: a decision that is not known here may have taken it back."""
    drivers = [publisher.driver for publisher in job.spec.publishers] if job.spec else []
    free = tuple(
        order
        for order in orders.publish
        if order.lookup or (0 <= order.slot < len(drivers) and drivers[order.slot] not in desk.paid)
    )
    return msgspec.structs.replace(orders, publish=free)


def _take_work(job: DeskJob, orders: Orders) -> None:
    """Note what there is to bid for, to run, to open, to publish and to stop."""
    for offer in orders.offers:
        if offer.offer not in job.offers:
            job.offers[offer.offer] = "due"
    for run in orders.run:
        key = (run.shard, run.attempt)
        if key not in job.tasks:
            job.tasks[key] = Task(shard=run.shard, attempt=run.attempt, fused=run.publish)
    for asked in orders.reveal:
        task = _task(job, asked.shard, asked.attempt)
        if task.reveal == "":
            task.reveal = "due"
            job.due[asked.shard, asked.attempt] = None
    for publication in orders.publish:
        _asked(job, publication, orders)
    for root in orders.roots:
        _root_asked(job, root, orders.fence)
    for stop in orders.stop:
        _stop(job, (stop.shard, stop.attempt))


def _task(job: DeskJob, shard: int, attempt: int) -> Task:
    task = job.tasks.get((shard, attempt))
    if task is None:
        task = job.tasks[shard, attempt] = Task(shard=shard, attempt=attempt, state="told")
    return task


def _asked(job: DeskJob, order: PublishOrder, orders: Orders) -> None:
    fence = orders.fence
    if job.spec is not None and not 0 <= order.slot < len(job.spec.publishers):
        return
    task = _task(job, order.shard, order.attempt)
    upload = task.uploads.get(order.slot)
    if upload is not None and _starting(job, upload):
        return
    if upload is None or (upload.decision != order.decision and upload.state in ("told", "asked")):
        task.uploads[order.slot] = Upload(
            slot=order.slot,
            decision=order.decision,
            fence=fence,
            lookup=order.lookup,
            begun=order.begun,
            sure=orders.complete,
        )
        job.due[order.shard, order.attempt] = None
    elif upload.decision == order.decision and upload.state == "asked":
        upload.fence = max(upload.fence, fence)
        upload.lookup = upload.lookup or order.lookup
        upload.begun = upload.begun or order.begun
        upload.sure = upload.sure or orders.complete


def _root_asked(job: DeskJob, order: RootOrder, fence: int) -> None:
    known = job.roots.get(order.slot)
    if known is None or (
        known.decision != order.decision
        and known.upload.fence < fence
        and known.upload.state in ("asked", "told")
    ):
        job.roots[order.slot] = RootTask(
            slot=order.slot,
            shard=order.shard,
            attempt=order.attempt,
            decision=order.decision,
            cid=order.cid,
            blob=order.blob,
            upload=Upload(slot=order.slot, decision=order.decision, fence=fence),
        )


def _starting(job: DeskJob, upload: Upload) -> bool:
    """Whether the word that a paid publication starts may be on its way to the log.

    A log that already has it says to look the publication up: not who waits for the answer.
    """
    return job.sending and upload.sure and upload.state == "asked"


def _drop_unasked(job: DeskJob, orders: Orders) -> None:
    """Forget the publications that the log, as far as it was read, does not ask for."""
    asked = {order.decision for order in orders.roots}
    for number, root in list(job.roots.items()):
        waits = root.upload.state == "asked" and root.upload.fence <= orders.fence
        if waits and root.decision not in asked:
            del job.roots[number]
    named = {(order.shard, order.attempt, order.slot) for order in orders.publish}
    for key in list(job.due):
        uploads = job.tasks[key].uploads
        for slot, upload in list(uploads.items()):
            kept = upload.state != "asked" or upload.fence > orders.fence or _starting(job, upload)
            if not kept and (*key, slot) not in named:
                del uploads[slot]


def _unsure(job: DeskJob, paid: frozenset[str]) -> bool:
    """Whether a publication that costs money was asked for by commands alone."""
    return job.spec is not None and any(
        upload.state == "asked"
        and not upload.sure
        and not upload.lookup
        and job.spec.publishers[upload.slot].driver in paid
        for key in job.due
        for upload in job.tasks[key].uploads.values()
    )


def _stop(job: DeskJob, key: Key) -> None:
    """End a task; what had not said its last word says that it is over, since somebody waits."""
    task = job.tasks.get(key)
    if task is None:
        task = job.tasks[key] = Task(shard=key[0], attempt=key[1])
    if task.state == "running":
        task.state = "stopping"
        job.due[key] = None
    elif task.state in ("queued", "finished"):
        task.state, task.code, task.message = "failing", "cancelled", "stopped before its end"
        job.due[key] = None
    elif task.state == "told":
        task.state = "ended"


def running(task: Task) -> None:
    """Note that an execution runs."""
    if task.state == "queued":
        task.state = "running"


def announce(job: DeskJob, task: Task) -> None:
    """Let an execution that has run for `ANNOUNCED_MS` be announced as started."""
    if task.started == "" and task.state == "running":
        task.started = "due"
        job.due[task.shard, task.attempt] = None


def finished(job: DeskJob, task: Task, claim: Claim) -> None:
    """Note what an execution came to; the caller has made it durable."""
    job.due[task.shard, task.attempt] = None
    if task.state in ("queued", "running"):
        task.state = "finished"
        task.claim = claim
        if claim.exit_code == 0:
            for slot in task.fused:
                task.uploads[slot] = Upload(slot=slot, decision="", fence=0, state="ready")
    elif task.state == "stopping":
        task.state, task.code, task.message = "failing", "cancelled", "stopped"


def failed(job: DeskJob, task: Task, code: str, message: str) -> None:
    """Note that infrastructure failed an execution, or that it was stopped."""
    job.due[task.shard, task.attempt] = None
    if task.state in ("queued", "running", "stopping"):
        task.state, task.code, task.message = "failing", code, message[:200]


def acknowledge(job: DeskJob, event: Fact) -> None:
    """Fold one of the node's own facts once it is on the log."""
    match event:
        case BidsPlaced():
            job.offers.update((bid.offer, "told") for bid in event.data.bids)
        case BidsDeclined():
            job.offers.update((decline.offer, "told") for decline in event.data.declines)
        case InputsListed():
            job.listing = "told"
        case PublishStarted() | ResultsPublished() | PublishFailed():
            _acknowledge_uploads(job, event)
        case _:
            _acknowledge_tasks(job, event)
    for key in [key for key in job.due if not _owes(job.tasks[key])]:
        del job.due[key]


def _acknowledge_tasks(job: DeskJob, event: Fact) -> None:
    match event:
        case ExecutionsStarted():
            for ref in event.data.executions:
                job.tasks[ref.shard, ref.attempt].started = "told"
        case ExecutionsFailed():
            for failure in event.data.failures:
                job.tasks[failure.shard, failure.attempt].state = "ended"
        case ResultsProposed():
            for proposal in event.data.proposals:
                _proposed(job.tasks[proposal.shard, proposal.attempt])
        case ResultsRevealed():
            for reveal in event.data.reveals:
                job.tasks[reveal.shard, reveal.attempt].reveal = "told"
        case _:
            raise AssertionError(f"no fact about tasks: {event}")


def _acknowledge_uploads(
    job: DeskJob, event: PublishStarted | ResultsPublished | PublishFailed
) -> None:
    match event:
        case PublishStarted():
            for start in event.data.starts:
                upload = job.tasks[start.shard, start.attempt].uploads[start.slot]
                if upload.state == "asked" and upload.decision == start.assignment:
                    upload.state = "ready"
        case ResultsPublished():
            for done in event.data.roots:
                _root_told(job, done.slot, "done")
            for publication in event.data.publications:
                task = job.tasks[publication.shard, publication.attempt]
                _proposed(task)
                _told(task, publication.slot, "done")
        case PublishFailed():
            for undone in event.data.roots:
                _root_told(job, undone.slot, "failed")
            for problem in event.data.failures:
                _told(job.tasks[problem.shard, problem.attempt], problem.slot, "failed")


def _proposed(task: Task) -> None:
    if task.state == "finished":
        task.state = "told"
    elif task.state == "failing" and task.claim is not None:
        # The job ended on this very fact, and word of that was here before the fact's own ack.
        task.state = "ended"


def refused(job: DeskJob, event: Fact) -> None:
    """Note that the fence refused a fact: what it stood on is to be read from the log anew."""
    if isinstance(event, PublishStarted):
        for start in event.data.starts:
            uploads = job.tasks[start.shard, start.attempt].uploads
            if uploads[start.slot].state == "asked":
                del uploads[start.slot]
    job.doubt = True


def _owes(task: Task) -> bool:
    """Whether a task still needs a fact to be told or an effect to be performed."""
    return (
        task.state in ("finished", "failing", "stopping")
        or task.reveal == "due"
        or (task.started == "due" and task.state == "running")
        or any(upload.state != "told" for upload in task.uploads.values())
    )


def _told(task: Task, slot: int, state: UploadState) -> None:
    upload = task.uploads.get(slot)
    if upload is not None and upload.state == state:
        upload.state = "told"


def _root_told(job: DeskJob, slot: int, state: UploadState) -> None:
    root = job.roots.get(slot)
    if root is not None and root.upload.state == state:
        root.upload.state = "told"


def disposable(job: DeskJob) -> bool:
    """Whether a closed job asks nothing more of this node."""
    return (
        job.closed
        and not job.sending
        and all(root.upload.state != "working" for root in job.roots.values())
        and all(
            task.state in ("told", "ended")
            and all(upload.state != "working" for upload in task.uploads.values())
            for task in job.tasks.values()
        )
    )


def sweep(desk: Desk) -> list[DeskJob]:
    """Return the idle jobs of which nothing was heard since the last sweep, now in doubt.

    A release is one message and may be lost, and an offer may come after the end of its job:
    without this such a job would stay on the desk for as long as the node lives.
    """
    forgotten: list[DeskJob] = []
    for job in desk.jobs.values():
        idle = not any(task.state in ("queued", "running") for task in job.tasks.values())
        if job.unheard and idle:
            job.doubt = True
            forgotten.append(job)
        job.unheard = True
    return forgotten


def held(desk: Desk) -> list[str]:
    """Return the ids of all executions that are awarded and not yet proposed."""
    return [
        execution_id(job.id, task.shard, task.attempt)
        for job in desk.jobs.values()
        for task in job.tasks.values()
        if task.state in ("queued", "running", "finished")
    ]
