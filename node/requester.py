"""The requester: folds the log, decides about every open job, appends under the fence, commands.

One decision of a job is under way at a time, and the next is made from the fold, never from an
answer. So whatever happens to an append (lost, late, refused) the remedy is one: read on, decide
again. Commands are made from decisions that have been folded.
"""

import asyncio
import heapq
import logging

from events.blobs import Blobs
from events.clock import now_ms
from events.entry import Entry
from events.errors import AppendTimeout, LogError, WrongExpectedPosition
from events.log import Log
from events.subjects import NET, decisions
from node.bus import Bus
from node.decide import decide
from node.decide.nodes import decide_nodes
from node.effects import Append, Command, Effect, WakeAt
from node.orders import Orders, fresh
from node.pacing import Nudges
from node.policy import Policy
from node.writer import Written
from projections.nodes import Nodes
from projections.runner import Runner
from projections.state import Job, Story

TICK_S = 0.1
NODES_EVERY_MS = 1_000
TOLD_AGAIN = 10
"""What a newer version writes is told again when there are so many times as many events of it."""

log = logging.getLogger(__name__)


class Requester:
    """Runs until it is stopped; all that it knows follows from the log.

    On a twin of a log it `looks_only`: its read models follow, and it decides nothing.
    """

    def __init__(
        self,
        name: str,
        *,
        log: Log,
        bus: Bus,
        blobs: Blobs,
        runner: Runner,
        policy: Policy,
        looks_only: bool = False,
    ) -> None:
        self.name = name
        self.ready = asyncio.Event()
        self._log = log
        self._bus = bus
        self._blobs = blobs
        self._runner = runner
        self._policy = policy
        self._looks_only = looks_only
        self._under_way: dict[str, str] = {}
        self._reported: dict[str, int] = {}
        self._foreign = 0
        self._newer: dict[str, int] = {}
        self._wakes: list[tuple[int, str]] = []
        self._wake_of: dict[str, int] = {}
        self._nudges = Nudges(policy.patience_ms)
        self._presence: dict[str, int] = {}
        self._nodes_due_ms = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def nodes(self) -> Nodes:
        """The nodes as folded now."""
        return self._runner.network.nodes

    async def run(self) -> None:
        """Follow the log and act on it, until cancelled."""
        if self._looks_only:
            await self._runner.run(self._looked)
            return
        stop_hearing = await self._bus.hear_heartbeats(self._heard)
        ticking = asyncio.ensure_future(self._tick())
        try:
            await self._runner.run(self._folded)
        finally:
            ticking.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(ticking, *self._tasks, return_exceptions=True)
            await stop_hearing()

    # What comes in

    def _looked(self, entries: list[Entry], caught_up: bool) -> None:  # noqa: FBT001
        """Know that a batch was folded, and do nothing about it."""
        if caught_up:
            self.ready.set()

    def _heard(self, node: str) -> None:
        self._presence[node] = now_ms()
        member = self._runner.network.nodes.members.get(node)
        if member is not None and member.state == "lost":
            self._bus.command(node, Orders(job=NET, fence=0, decision=member.incarnation))

    def _folded(self, entries: list[Entry], caught_up: bool) -> None:  # noqa: FBT001
        """Act on a batch that was folded: send what own decisions ask for, decide what is due."""
        network = self._runner.network
        touched: dict[str, bool] = {}
        for entry in entries:
            name = entry.address.job
            if name == NET:
                self._nodes_changed(entry.address.author, touched)
                continue
            job = network.jobs.get(name)
            if job is None:
                continue
            touched.setdefault(name, False)
            if self._under_way.get(name) == entry.event.id:
                del self._under_way[name]
            if (
                entry.address.role == "r"
                and entry.address.author == self.name
                and self.ready.is_set()
            ):
                for node, orders in fresh(job, entry).items():
                    self._bus.command(node, orders)
            if job.illegal != self._reported.get(name, 0):
                self._report(job)
        self._tell_newer()
        if network.foreign != self._foreign:
            more, self._foreign = network.foreign - self._foreign, network.foreign
            last = network.foreign_kept[-1]
            log.warning("skipped: %d message(s) that are no events of ours; last %s", more, last)
        if caught_up and not self.ready.is_set():
            self.ready.set()
            touched = dict.fromkeys(network.jobs, True)
        if self.ready.is_set():
            for name, patrol in touched.items():
                self._decide(name, patrol=patrol)

    def _nodes_changed(self, node: str, touched: dict[str, bool]) -> None:
        """A node came or went: jobs that wait for a place, or have something there, are looked at.

        A requester that comes or goes moves partitions, so every job is.
        """
        member = self._runner.network.nodes.members.get(node)
        requester = member is not None and "requester" in member.capabilities.roles
        self._presence.setdefault(node, now_ms())
        for name, job in self._runner.network.jobs.items():
            if requester or job.placing or job.publishing or job.load.get(node):
                touched[name] = True

    def _tell_newer(self) -> None:
        """Say what only a newer version knows: each job that is held, and types as they grow."""
        network = self._runner.network
        while network.held:
            job, what = network.held.popleft()
            log.warning("%s is left to requesters of a newer version of Lota: %s", job, what)
        for name, skipped in network.newer.items():
            if skipped.count >= self._newer.get(name, 1):
                self._newer[name] = skipped.count * TOLD_AGAIN
                log.warning(
                    "skipped: %s was written by a newer version of Lota; %d so far, last at "
                    "position %d",
                    *(name, skipped.count, skipped.last),
                )

    def _report(self, job: Job) -> None:
        more = job.illegal - self._reported.get(job.id, 0)
        self._reported[job.id] = job.illegal
        for story in job.stories[-more:]:
            log.warning("skipped: %s", _told(story))

    # What goes out

    def _decide(self, name: str, *, patrol: bool = False) -> None:
        job = self._runner.network.jobs.get(name)
        if job is None or name in self._under_way:
            return
        if job.closed:
            self._forget(name)
            return
        now = now_ms()
        effects = decide(
            job,
            self._runner.network.nodes,
            me=self.name,
            now_ms=now,
            policy=self._policy,
            patrol=patrol,
        )
        for effect in effects:
            self._perform(effect, now)

    def _perform(self, effect: Effect, now: int) -> None:
        """Carry an effect out; `now` is when it was decided, and stands in its event."""
        match effect:
            case Append():
                self._append(effect, now)
            case Command():
                due = not effect.nudge or self._nudges.may(effect.node, effect.orders.job, now)
                if due:
                    self._bus.command(effect.node, effect.orders)
            case WakeAt():
                self._wake(effect.job, effect.ms)
            case _:
                raise AssertionError(f"no effect of a requester: {effect}")

    def _append(self, effect: Append, now: int) -> None:
        job = self._runner.network.jobs.get(effect.job)
        written = Written(
            effect,
            author=self.name,
            role="r",
            now_ms=now,
            traceparent=job.traceparent if job is not None else "",
        )
        self._under_way[effect.job] = written.event.id
        if effect.blobs:
            self._spawn(self._append_with_blobs(effect, written))
        else:
            self._send(effect, written)

    async def _append_with_blobs(self, effect: Append, written: Written) -> None:
        """Store the blobs first: an event never names one that is not there."""
        try:
            for blob in effect.blobs:
                await self._blobs.put(blob)
        except LogError as error:
            log.warning("a blob of job %s could not be stored: %s", effect.job, error)
            self._retry_later(effect.job)
            return
        self._send(effect, written)

    def _send(self, effect: Append, written: Written) -> None:
        future = self._log.append(
            written.subject, written.body, id=written.event.id, expect=written.expect
        )

        def answered(answer: "asyncio.Future[int]") -> None:
            if answer.cancelled():
                return
            error = answer.exception()
            if error is None:
                return
            if isinstance(error, WrongExpectedPosition):
                self._refused(effect)
            elif isinstance(error, AppendTimeout):
                self._spawn(self._find_out(effect))
            else:
                log.warning("an append to job %s failed: %s", effect.job, error)
                self._retry_later(effect.job)

        future.add_done_callback(answered)

    def _refused(self, effect: Append) -> None:
        """Someone decided first. If that is folded already, decide anew; else it is coming."""
        self._under_way.pop(effect.job, None)
        if effect.job == NET:
            self._spawn(self._find_fence_of_nodes())
            return
        job = self._runner.network.jobs.get(effect.job)
        if job is not None and job.fence != effect.fence:
            self._decide(effect.job)
        else:
            self._wake(effect.job, now_ms() + self._policy.patience_ms)

    async def _find_fence_of_nodes(self) -> None:
        """Take up the nodes' fence anew if the decision that it names was archived.

        What the log has as the last such decision is folded then, or there is none any more.
        """
        network = self._runner.network
        fence = network.nodes.fence
        try:
            last = await self._log.last(decisions(NET))
        except LogError:
            return
        if fence == network.nodes.fence and last <= network.position:
            network.nodes.fence = last

    async def _find_out(self, effect: Append) -> None:
        """An append was not answered: see whether any decision came after the fence."""
        try:
            last = await self._log.last(decisions(effect.job))
        except LogError:
            last = effect.fence or 0
        if last == effect.fence:
            self._retry_later(effect.job)
        else:
            self._refused(effect)

    def _retry_later(self, job: str) -> None:
        self._under_way.pop(job, None)
        self._wake(job, now_ms() + 500)

    # Time

    def _wake(self, job: str, ms: int) -> None:
        known = self._wake_of.get(job)
        if known is None or ms < known:
            self._wake_of[job] = ms
            heapq.heappush(self._wakes, (ms, job))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if not self.ready.is_set():
                continue
            now = now_ms()
            while self._wakes and self._wakes[0][0] <= now:
                ms, job = heapq.heappop(self._wakes)
                if self._wake_of.get(job) == ms:
                    del self._wake_of[job]
                    self._decide(job, patrol=True)
            if now >= self._nodes_due_ms:
                self._nodes_due_ms = now + NODES_EVERY_MS
                self._patrol_nodes(now)

    def _patrol_nodes(self, now: int) -> None:
        nodes = self._runner.network.nodes
        for name in nodes.members:
            self._presence.setdefault(name, now)
        self._under_way.pop(NET, None)
        for effect in decide_nodes(
            nodes, self._presence, me=self.name, now_ms=now, policy=self._policy
        ):
            self._perform(effect, now)

    def _forget(self, job: str) -> None:
        self._wake_of.pop(job, None)
        self._reported.pop(job, None)
        self._nudges.forget(job)

    def _spawn(self, work: "asyncio.Future[None] | object") -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _told(story: Story) -> str:
    return (
        f"{story.item} in {story.kind} by {story.author} (event {story.event}, caused by "
        f"{story.causation}) of job {story.job}, state {story.state}: {story.why}; "
        f"before it: {', '.join(story.recent)}"
    )
