"""What a test waits on: a fold of the whole log, which tells it of every event as it comes."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from typing import Self

from events.client.gateway import prepare, request_cancel, submit
from events.clock import now_ms
from events.connection import connect
from events.entry import Entry
from events.ids import new_id, new_job_id
from events.items import Claim
from events.jetstream import open_blobs, open_log
from events.spec import JobSpec
from node.decide.replay import Check
from projections.audit import Audit, Scope
from projections.base import begin
from projections.hindsight import Members
from projections.network import Network
from projections.state import TERMINAL, Job, Shard
from projections.timeline import item_count
from tests.integration.rules import KNOWN

PATIENCE_S = 60.0


class Watch:
    """A client of a network: it submits jobs and folds the log; nothing of it decides anything.

    `items` counts the items of each kind of event by job, as in `items[job, "results.proposed"]`;
    the events of nodes stand under `_`. When the test has ended well, the log is audited: nothing
    may be illegal, forged or unproven, nor foreign but the `foreign` messages that the test wrote,
    and `decide` decides all of it again. A test that wrote other lies has `audited` itself.
    """

    def __init__(self, url: str) -> None:
        self.network = Network()
        self.entries: list[Entry] = []
        self.items: Counter[tuple[str, str]] = Counter()
        self.foreign = 0
        self.audited = False
        self._url = url
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.client = await connect(self._url, name="watch")
        self.log = await open_log(self.client)
        self.blobs = await open_blobs(self.client)
        self._folding = asyncio.ensure_future(self._fold())
        self._folding.add_done_callback(lambda _: self._changed.set())
        return self

    async def __aexit__(self, failed: object, *_: object) -> None:
        try:
            if failed is None and not self.audited:
                await self._audit()
        finally:
            await self._close()

    async def _audit(self) -> None:
        """Hold all that the log holds now against the rules, and decide all of it again."""
        base = await self.log.base()
        begun = begin(base)
        audit = Audit(Scope(start=base is None), begun.nodes)
        check = Check(KNOWN, members=Members(begin(base).nodes))
        async for records in self.log.read(after=begun.position):
            for record in records:
                audit.take(record)
                check.take(record)
        findings = audit.finish().findings
        foreign = sum(1 for finding in findings if finding.kind == "foreign")
        assert (foreign, len(findings)) == (self.foreign,) * 2, "\n".join(map(str, findings))
        checked = check.finish()
        assert checked.same == checked.decisions, checked

    async def _close(self) -> None:
        while not self._folding.done():
            self._folding.cancel()
            await asyncio.wait((self._folding,), timeout=1)  # wait_for of 3.11 may lose it
        await self.log.close()
        await self.client.close()

    async def submit(self, spec: JobSpec, *, traceparent: str = "") -> str:
        """Submit a job and return its id."""
        job = new_job_id()
        submission = await prepare(spec)
        await submit(
            self.log,
            self.blobs,
            submission,
            job=job,
            author="test",
            traceparent=traceparent,
            new_id=new_id,
            now_ms=now_ms,
        )
        return job

    async def cancel(self, job: str) -> None:
        """Wish that a job ends."""
        await request_cancel(
            self.log, job=job, author="test", reason="why not", new_id=new_id, now_ms=now_ms
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds after some event; fails with what the jobs wait for."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    if self._folding.done():
                        self._folding.result()
                    await self._changed.wait()
                    self._changed.clear()
        except TimeoutError:
            raise AssertionError(self.story()) from None

    async def until_items(self, job: str, kind: str, count: int = 1) -> None:
        """Wait until a job's events of a kind have listed `count` items."""
        await self.until(lambda: self.items[job, kind] >= count)

    async def ended(self, job: str) -> Job:
        """Wait until a job has ended and return it."""
        await self.until(lambda: self._state(job) in TERMINAL)
        return self.network.jobs[job]

    async def closed(self, job: str) -> Job:
        """Wait until nothing of a job is open any more and return it."""
        await self.until(lambda: job in self.network.jobs and self.network.jobs[job].closed)
        return self.network.jobs[job]

    async def joined(self, *nodes: str) -> None:
        """Wait until nodes are live members."""
        members = self.network.nodes.members
        await self.until(
            lambda: all(name in members and members[name].state == "live" for name in nodes)
        )

    def authors(self, job: str, kind: str) -> list[str]:
        """Return who wrote a job's events of a kind, in log order."""
        return [
            entry.address.author
            for entry in self.entries
            if entry.address.job == job and entry.address.kind == kind
        ]

    def story(self) -> str:
        """Tell how far the jobs have come, for a test that waited in vain."""
        lines = [
            f"{job.id} {job.state} {job.counts} {job.reason} illegal {job.illegal}"
            for job in self.network.jobs.values()
        ]
        tail = [
            f"  {e.position} {e.address.job} {e.address.kind} {e.address.author}"
            for e in self.entries[-20:]
        ]
        return "\n".join([f"nothing came within {PATIENCE_S:g} s:", *lines, *tail])

    def _state(self, job: str) -> str:
        found = self.network.jobs.get(job)
        return found.state if found is not None else ""

    async def _fold(self) -> None:
        async with aclosing(self.log.follow()) as batches:  # type: ignore[type-var]
            async for batch in batches:
                for record in batch:
                    entry = self.network.fold(record)
                    if entry is not None:
                        self.entries.append(entry)
                        key = (entry.address.job, entry.address.kind)
                        self.items[key] += item_count(entry.event.data)
                self._changed.set()


def claim_of(shard: Shard) -> Claim:
    """Return what was accepted of a shard."""
    assert shard.verdict is not None, shard
    assert shard.verdict.claim is not None, shard
    return shard.verdict.claim
