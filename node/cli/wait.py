"""`lota job wait`: until a job has ended, whoever runs it."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from events.errors import WaitTimedOut, WrongUsage
from node.cli.server import Server, connected


async def wait(
    job: str,
    /,
    *,
    timeout: Annotated[str | None, Parameter(name="--timeout")] = None,
    server: Server | None = None,
) -> None:
    """Wait until a job has ended, and print the state that it ended in.

    Exits with 0 when it completed, 1 when it failed or was cancelled, 5 when it still runs after
    the timeout. The job itself is left alone in any case.

    Example: lota job wait 01kb2m --timeout 10m

    Parameters
    ----------
    job
        The job's id, or the start of it.
    timeout
        How long to wait, as in 90s, 10m or 1h30m; for ever if it is not given.
    """
    from events.client.outcome import ended
    from events.errors import JobFailed
    from node.cli.following import note_passed_over
    from node.jobs import find_job

    limit_s = _seconds(timeout) if timeout is not None else None
    async with connected(server) as connection:
        name = await find_job(connection.log, job)
        try:
            async with asyncio.timeout(limit_s):
                found = await ended(connection.log, name, note_passed_over(name))
        except TimeoutError:
            raise WaitTimedOut(
                f"job {name} has not ended after {timeout}",
                hint=f"lota job describe {name} says why",
            ) from None
    print(found.state)
    if found.state != "completed":
        has_results = found.code == "publishing"
        more = f", and lota result get {name} fetches the results" if has_results else ""
        raise JobFailed(
            f"job {name} was {found.state}: {found.reason or found.code}"
            if found.state == "cancelled"
            else f"job {name} failed ({found.code}): {found.reason}",
            hint=f"lota job describe {name} shows the evidence{more}",
        )


def _seconds(text: str) -> float:
    from events.units import duration_ms

    try:
        return duration_ms(text) / 1000
    except ValueError as error:
        raise WrongUsage(f"--timeout: {error}", hint="the units are ms, s, m, h and d") from None
