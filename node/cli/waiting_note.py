"""Why nothing happens, said once on stderr to who waits for a job that no node takes up."""

import asyncio
from typing import Self

from events.clock import now_ms
from events.log import Log
from node.cli.output import note, plain
from node.jobs import load_job
from projections.state import Job
from projections.waiting import why_waiting

PATIENCE_S = 3.0
"""A network that can run a job takes it up in milliseconds."""
REASONS_TOLD = 3


class WaitingNote:
    """Follows along with who follows the job, as `async with`; `seen` tells it of each state."""

    def __init__(self, log: Log, job: str) -> None:
        self._log = log
        self._job = job
        self._taken_up = False
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._telling = asyncio.create_task(self._tell())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._telling is not None
        self._telling.cancel()
        await asyncio.gather(self._telling, return_exceptions=True)

    def seen(self, job: Job) -> None:
        """Take in the job as it is now: once one of its shards has found a node, all is well."""
        self._taken_up = self._taken_up or any(shard.executions for shard in job.shards)

    async def _tell(self) -> None:
        await asyncio.sleep(PATIENCE_S)
        if self._taken_up:
            return
        found = await load_job(self._log, self._job, with_nodes=True)
        reasons = why_waiting(found.job, found.nodes, now_ms())
        if not reasons:
            return
        note(f"lota: job {self._job} waits, and goes on by itself when that changes:")
        for reason in reasons[:REASONS_TOLD]:
            about = f"{reason['node']}: " if reason["node"] else ""
            note(plain(f"      {about}{reason['message']}"))
        more = f"; {len(reasons) - REASONS_TOLD} more" if len(reasons) > REASONS_TOLD else ""
        note(f"      see lota job describe {self._job}{more}")
