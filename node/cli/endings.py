"""Waiting for the one decision that ends a job."""

from contextlib import aclosing

from events.errors import LogUnavailable
from events.log import Log
from node.cli.following import follow_job
from projections.state import TERMINAL, Job


async def ended(log: Log, job: str) -> Job:
    """Return the job once it has ended; it must exist. Raises LogUnavailable when the log ends."""
    async with aclosing(follow_job(log, job)) as steps:
        async for state, _ in steps:
            if state.state in TERMINAL:
                return state
    raise LogUnavailable(f"the log was closed while job {job} ran", hint="is the server up?")
