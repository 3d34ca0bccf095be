"""The server of one part of the benchmark `pages`: it shows one large job, half of it done.

    python -m benchmarks.pages_child SHARDS

Prints the URL of the job's page. For each line that it reads, some more shards have their result;
an empty line brings nothing new. Its answer is a line of JSON: the milliseconds of a processor that
its loop has taken until then (`loop`), and all of its threads together (`process`).
"""

import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from benchmarks.read_models import story
from events import codec
from events.codec import AnyEvent
from events.facts import ResultsProposed, ResultsProposedData
from events.ids import new_id
from events.memory import MemoryLog
from events.subjects import Role, subject
from node.config import ServeConfig
from node.observer.observer import Observer
from node.web.dashboard import Door, dashboard
from node.web.listening import listen
from tests.node.observer.watched import no_times

MS = 1000.0
MORE = 10
"""Shards that a line brings the results of."""


class LargeJob:
    """One job on a log: all is awarded, and half has its result."""

    def __init__(self, shards: int) -> None:
        self.log = MemoryLog()
        told = list(islice(story(shards), 6))
        for role, event in told[:5]:
            self._append(role, event)
        proposal = told[5][1]
        assert isinstance(proposal, ResultsProposed)
        self.id = proposal.subject
        self._proposal, self._done = proposal, 0
        self.propose(shards // 2)

    def propose(self, shards: int) -> None:
        """Append the results of so many more shards."""
        proposals = self._proposal.data.proposals[self._done : self._done + shards]
        self._done += shards
        data = ResultsProposedData(proposals=proposals)
        self._append("c", replace(self._proposal, id=new_id(), data=data))

    def _append(self, role: Role, event: AnyEvent) -> None:
        place = subject(event.subject, role, "n1", codec.kind(event))
        self.log.append_now(place, codec.encode(event), id=event.id)


async def serve(shards: int) -> None:
    """Serve the page of a job until there is nothing more to read."""
    job = LargeJob(shards)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lota-bench-")))
        observer = await stack.enter_async_context(Observer.open(job.log, folder, no_times))
        await observer.ready.wait()
        listener = listen(ServeConfig(listen="127.0.0.1:0"))
        door = Door(listener.bound, listener.url)
        await stack.enter_async_context(dashboard(observer, None, door))
        print(door.page(job.id), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip():
                job.propose(MORE)
            took = {"loop": time.thread_time() * MS, "process": time.process_time() * MS}
            print(json.dumps(took), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
