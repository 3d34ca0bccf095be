"""A compute node's shell: orders in, facts out, and between them one loop.

Each turn takes what has touched the desk, makes durable what must be, and performs what is due. The
node's own facts are folded at their ack; all else it knows from orders, and in doubt from the log.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any

from events.blobs import Blobs
from events.clock import now_ms
from events.commitment import execution_id
from events.errors import (
    AppendTimeout,
    ContentError,
    LogError,
    NotFound,
    PublishError,
    WrongExpectedPosition,
)
from events.items import Capabilities
from events.log import Log
from events.marks import Mark
from node.compute.consult import consult, jobs_bid_for
from node.compute.decide import Place, decide_desk
from node.compute.desk import (
    Desk,
    DeskJob,
    acknowledge,
    disposable,
    failed,
    held,
    refused,
    sweep,
    take,
)
from node.compute.memory import NodeMemory
from node.compute.memory_rows import Batch, JobRow
from node.compute.patience import answered
from node.compute.tasks import RootTask
from node.compute.uploads import Order, Uploads
from node.compute.work import InHand, Work
from node.effects import Append, Effect, ListInputs, Publish, PublishRoot, Stop
from node.inputs.relist import Relisting
from node.orders import Orders
from node.policy import Policy
from node.writer import Written
from publishers.pipeline import in_order

AHEAD = 32
"""Jobs that are asked for at one time when a node starts: each is a look-up in the log."""
RETRY_S = 0.5
SWEEP_S = 600.0
GATHER_S = 0.02
"""While executions wait for a core, what ends within this time is written and told together."""

log = logging.getLogger(__name__)


class Compute:
    """One compute node: its desk, and what is done about it."""

    def __init__(
        self,
        name: str,
        capabilities: Capabilities,
        *,
        log: Log,
        memory: NodeMemory,
        work: Work,
        uploads: Uploads,
        blobs: Blobs,
        relisting: Relisting,
        policy: Policy,
        throw_away: bool,
    ) -> None:
        self.name = name
        self.draining = False
        self._capabilities = capabilities
        self._log = log
        self._memory = memory
        self._work = work
        self._uploads = uploads
        self._blobs = blobs
        self._relisting = relisting
        self._policy = policy
        self._throw_away = throw_away
        self._desk = Desk(node=name, paid=policy.paid)
        self._touched: dict[str, None] = {}
        self._turn = asyncio.Event()
        self._known: set[str] = set()
        self._consulting: set[str] = set()
        self._told: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        work.touch = self._touch

    # Life

    async def run(self) -> None:
        """Work until cancelled; `recall` comes first."""
        self._spawn(self._sweep())
        try:
            await self._turns()
        finally:
            for task in self._tasks:
                task.cancel()
            await self._work.close(leave_running=not self._throw_away)

    def holds(self) -> list[str]:
        """Return the executions that this node has in hand."""
        return held(self._desk)

    def in_hand(self) -> InHand:
        """Return how many executions wait here, and how many run."""
        return self._work.in_hand

    def consult_all(self) -> None:
        """Read every open job from the log again: the connection was lost for a while."""
        for job in self._desk.jobs.values():
            job.doubt = True
            self._touch(job.id)

    async def _sweep(self) -> None:
        """Ask the log about jobs of which nothing is heard any more: a release may be lost."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for job in sweep(self._desk):
                self._touch(job.id)

    async def recall(self) -> None:
        """Rebuild the desk from the node's own memory and the log."""
        recalled = await self._memory.load()
        self._work.recall(recalled.executions)
        names = list(recalled.jobs)
        if recalled.created:
            names += [job async for job in jobs_bid_for(self._log, self.name)]
        async with aclosing(in_order(_each(dict.fromkeys(names)), self._owed, ahead=AHEAD)) as told:
            async for orders in told:
                self.take(orders)
                if orders.job not in self._desk.jobs:
                    self._memory.forget(orders.job)
        # What is offered meanwhile is not among these: it is noted before it is bid for.
        known = [name for name in dict.fromkeys(names) if name in self._desk.jobs]
        if recalled.created:
            stamp = now_ms()
            await self._memory.save(Batch(jobs=[JobRow(name, stamp) for name in known]))
            await self._memory.confirm_recall()
        self._known.update(known)
        await self._work.clear_orphans({*held(self._desk)})

    async def _owed(self, job: str) -> Orders:
        return await consult(self._log, job, self.name)

    async def joined(self, mark: Mark) -> None:
        """Remember the log by this node's own joining."""
        await self._memory.note(mark)

    # What comes in

    def take(self, orders: Orders) -> None:
        """Fold orders for this node."""
        job = take(self._desk, orders)
        if job is not None:
            self._work.awarded(job, orders)
            self._touch(job.id)

    def _touch(self, job: str) -> None:
        self._touched[job] = None
        self._turn.set()

    # The loop

    async def _turns(self) -> None:
        while True:
            await self._turn.wait()
            self._work.start(self._desk)
            if self._work.waiting:
                await asyncio.sleep(GATHER_S)
                self._work.start(self._desk)
            self._turn.clear()
            touched, self._touched = self._touched, {}
            jobs = [job for name in touched if (job := self._desk.jobs.get(name)) is not None]
            met = [job for job in jobs if job.offers and job.id not in self._known]
            self._known.update(job.id for job in met)
            ended = await self._work.settle(self._memory, met)
            for job in {job.id: job for job in (*jobs, *ended)}.values():
                self._decide(job)

    def _decide(self, job: DeskJob) -> None:
        if job.doubt and job.id not in self._consulting:
            self._consulting.add(job.id)
            self._spawn(self._consult(job))
        place = Place(
            node=self.name,
            secret=self._memory.secret,
            capabilities=self._capabilities,
            taken=self._work.taken,
            draining=self.draining,
            paid=self._policy.paid,
        )
        for effect in decide_desk(job, place, now_ms=now_ms()):
            self._perform(job, effect)
        if disposable(job):
            del self._desk.jobs[job.id]
            self._known.discard(job.id)
            self._told.discard(job.id)
            self._work.forget(job)
            self._memory.forget(job.id)

    async def _consult(self, job: DeskJob) -> None:
        try:
            orders = await consult(self._log, job.id, self.name)
        except LogError as error:
            log.warning("job %s could not be read from the log: %s", job.id, error)
            await asyncio.sleep(RETRY_S)
            self._touch(job.id)
        else:
            job.doubt = False
            if orders.held and job.id not in self._told:
                self._told.add(job.id)
                log.warning(
                    "job %s holds %s, written by a newer version of Lota: %s pays nothing there",
                    *(job.id, orders.held, self.name),
                )
            self.take(orders)
        finally:
            self._consulting.discard(job.id)

    def _perform(self, job: DeskJob, effect: Effect) -> None:
        match effect:
            case Append():
                job.sending = True
                written = Written(
                    effect,
                    author=self.name,
                    role="c",
                    now_ms=now_ms(),
                    traceparent=job.traceparent,
                )
                self._send(job, effect, written)
            case Stop():
                self._spawn(self._stop(job, effect))
            case Publish():
                upload = job.tasks[effect.shard, effect.attempt].uploads[effect.slot]
                upload.state = "working"
                self._spawn(self._publish(job, effect))
            case PublishRoot():
                job.roots[effect.slot].upload.state = "working"
                self._spawn(self._publish_root(job, job.roots[effect.slot]))
            case ListInputs():
                job.listing = "working"
                self._spawn(self._list(job))
            case _:
                raise AssertionError(f"no effect of a compute node: {effect}")

    def _send(self, job: DeskJob, effect: Append, written: Written) -> None:
        future = self._log.append(
            written.subject, written.body, id=written.event.id, expect=written.expect
        )

        def answered(answer: "asyncio.Future[int]") -> None:
            if answer.cancelled():
                return
            error = answer.exception()
            if error is None:
                acknowledge(job, written.event)  # type: ignore[arg-type]
            elif isinstance(error, WrongExpectedPosition):
                refused(job, written.event)  # type: ignore[arg-type]
            else:
                if not isinstance(error, AppendTimeout):
                    log.warning("an append to job %s failed: %s", job.id, error)
                loop = asyncio.get_running_loop()
                loop.call_later(RETRY_S, self._send, job, effect, written)
                return
            job.sending = False
            self._touch(job.id)

        future.add_done_callback(answered)

    # Effects that take their time

    async def _stop(self, job: DeskJob, effect: Stop) -> None:
        task = job.tasks[effect.shard, effect.attempt]
        await self._work.stop(job, task)
        failed(job, task, "cancelled", "stopped")
        self._touch(job.id)

    async def _publish(self, job: DeskJob, effect: Publish) -> None:
        task = job.tasks[effect.shard, effect.attempt]
        upload = task.uploads[effect.slot]
        if job.spec is None:
            return
        name = execution_id(job.id, effect.shard, effect.attempt)
        order = Order(
            job.spec.publishers[effect.slot],
            f"{job.id}/{effect.shard}",
            task.claim.cid if task.claim is not None else "",
            paid=effect.paid,
        )

        async def still_owed() -> bool:
            orders = await answered(partial(consult, self._log, job.id, self.name))
            run = {(order.shard, order.attempt) for order in orders.run}
            publish = {(order.shard, order.attempt) for order in orders.publish}
            return (effect.shard, effect.attempt) in run | publish

        if not order.cid:
            self._uploads.gone(upload, order)
        elif effect.lookup:
            await self._uploads.lookup(order, upload)
        else:
            load = partial(self._work.result, name, self._memory)
            await self._uploads.publish(order, upload, load, still_owed)
        job.due[effect.shard, effect.attempt] = None
        self._touch(job.id)

    async def _publish_root(self, job: DeskJob, root: RootTask) -> None:
        if job.spec is None:
            return
        spec = job.spec.publishers[root.slot]
        order = Order(spec, f"the root of {job.id}", root.cid, paid=False)
        await self._uploads.publish_root(order, root.upload, partial(self._root_car, root.blob))
        self._touch(job.id)

    async def _root_car(self, blob: str) -> bytes:
        """Return a job's root as a CAR. Raises LogError, and PublishError when it is gone."""
        try:
            return await answered(partial(self._blobs.get, blob))
        except (NotFound, ContentError) as error:
            raise PublishError("gone", str(error)) from error

    async def _list(self, job: DeskJob) -> None:
        job.listed, job.listing_error = await answered(
            partial(self._relisting.list, job.spec, job.inputs)
        )
        job.listing = "done"
        self._touch(job.id)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of node %s failed", self.name, exc_info=task.exception())


async def _each(names: Iterable[str]) -> AsyncGenerator[str, None]:
    for name in names:
        yield name
