"""`lota job cancel`: a wish, and what was decided about it."""

from node.cli.output import note
from node.cli.server import CLIENT_NAME, Server, connected


async def cancel(job: str, /, *, reason: str = "", server: Server | None = None) -> None:
    """Cancel a job, and wait until that is decided: it may have ended before.

    Prints the state that the job ended in; exits with 1 when that is not `cancelled`.

    Example: lota job cancel 01kb2m --reason 'wrong input'

    Parameters
    ----------
    job
        The job's id, or the start of it.
    reason
        Why, for those who look at the job later.
    """
    from events.client.gateway import request_cancel
    from events.client.outcome import ended
    from events.clock import now_ms
    from events.errors import JobFailed
    from events.ids import new_id
    from node.cli.following import note_passed_over
    from node.jobs import find_job, load_job
    from projections.state import TERMINAL

    async with connected(server) as connection:
        log = connection.log
        log.require_writable()
        name = await find_job(log, job)
        state = (await load_job(log, name)).job.state
        if state not in TERMINAL:
            await request_cancel(
                log,
                job=name,
                author=CLIENT_NAME,
                reason=reason,
                new_id=new_id,
                now_ms=now_ms,
            )
            note(f"lota: asked to cancel {name}; a requester decides (Ctrl-C leaves the wish)")
            state = (await ended(log, name, note_passed_over(name))).state
    print(state)
    if state != "cancelled":
        raise JobFailed(f"too late: job {name} {state}", hint=f"lota job describe {name}")
