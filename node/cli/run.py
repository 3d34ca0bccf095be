"""`lota run`: a command as a job, followed to its end and answered with its exit code."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from events.client.gateway import Submission, prepare, request_cancel, submit
from events.clock import now_ms
from events.errors import LotaError
from events.ids import new_id, new_job_id
from events.inputs.file_uri import to_path
from events.jetstream import open_blobs
from node.cli import exits
from node.cli.following import follow_job
from node.cli.interrupts import interrupted
from node.cli.opened_results import results_of
from node.cli.outputs import print_outputs
from node.cli.preparing import prepared
from node.cli.progress import JobProgress
from node.cli.run_options import RunOptions
from node.cli.server import CLIENT_NAME, Connection, Server, connected
from node.cli.waiting_note import WaitingNote
from node.config import default_publish_root
from node.credentials import take_credentials
from node.local import LocalConfig, LocalNetwork
from projections.nodes import Nodes
from projections.state import TERMINAL, Job

LOTA_FAILED = 125
"""The exit code when Lota itself, and not the command, has failed."""
CANCEL_S = 10.0
DEFAULTS = RunOptions()


async def run(
    *command: str,
    options: RunOptions = DEFAULTS,
    dev: Annotated[bool, Parameter(negative=())] = False,
    server: Server | None = None,
) -> int:
    """Run a command as a job, wait for it, and exit with its exit code.

    The command's stdout and stderr come out as if it had run here, shard by shard in order. 125
    means that Lota could not agree on a result or run it at all. Ctrl-C leaves the job running
    (with --dev it is cancelled).

    Example: lota run --input ./photos --shard-size 10 --replicas 2 -- sh -c 'ls inputs | wc -l'

    Parameters
    ----------
    command
        What to run, behind `--`.
    dev
        Start a throw-away local network for this one job.
    """
    spec = options.spec(command)
    if not dev:
        return await _run(await prepared(spec, server), server, throw_away=False)
    submission = await prepare(spec)
    with tempfile.TemporaryDirectory(prefix="lota-run-") as folder:
        network = LocalNetwork(
            LocalConfig(
                folder=Path(folder),
                publish_root=default_publish_root(),
                nodes=max(options.replicas, options.min_bids),
                allow_paths=_read_here(submission),
                engines=(spec.engine,),
            ),
            take_credentials(),
        )
        async with network:
            here = Server(server=network.url)
            return await _run(submission, here, throw_away=True)


def _read_here(submission: Submission) -> tuple[str, ...]:
    """Return the local paths that the job names: on a network of one's own they are allowed."""
    spec = submission.data.spec
    sources = [to_path(entry.source) for entry in spec.inputs]
    targets = [publisher.target for publisher in spec.publishers if publisher.driver == "local"]
    return (*sources, *(target for target in targets if target))


async def _run(submission: Submission, server: Server | None, *, throw_away: bool) -> int:
    job = new_job_id()
    async with connected(server) as connection:
        connection.log.require_writable()
        blobs = await open_blobs(connection.client)
        stop = interrupted()
        submitting = asyncio.ensure_future(
            submit(
                connection.log,
                blobs,
                submission,
                job=job,
                author=CLIENT_NAME,
                traceparent=os.environ.get("TRACEPARENT"),
                new_id=new_id,
                now_ms=now_ms,
            )
        )
        await asyncio.wait((submitting, stop), return_when=asyncio.FIRST_COMPLETED)
        if not submitting.done():
            submitting.cancel()
            await asyncio.wait((submitting,))
            print(f"lota: job {job} may be there or not; see lota job ls", file=sys.stderr)
            return exits.INTERRUPTED
        submitting.result()
        following = asyncio.ensure_future(_follow(connection, job))
        await asyncio.wait((following, stop), return_when=asyncio.FIRST_COMPLETED)
        if not following.done():
            return await _let_go(connection, job, following, cancel=throw_away)
        ended = await following
        async with results_of(connection.client, ended, Nodes()) as results:
            missing = await print_outputs(connection.client, results)
        return _answer(ended, missing, throw_away=throw_away)


async def _follow(connection: Connection, job: str) -> Job:
    with JobProgress() as progress:
        async with WaitingNote(connection.log, job) as waiting:
            async for state, _ in follow_job(connection.log, job):
                progress.show(state)
                waiting.seen(state)
                if state.state in TERMINAL:
                    return state
    raise LotaError("the log ended", hint="is the server up?")


async def _let_go(
    connection: Connection, job: str, following: "asyncio.Future[Job]", *, cancel: bool
) -> int:
    """Detach from the job on Ctrl-C; on a throw-away network it is cancelled first."""
    if cancel:
        await request_cancel(
            connection.log,
            job=job,
            author=CLIENT_NAME,
            reason="interrupted",
            new_id=new_id,
            now_ms=now_ms,
        )
        await asyncio.wait((following,), timeout=CANCEL_S)
        end = following.result().state if following.done() else "does not end and is killed"
        print(f"lota: job {job} {end}", file=sys.stderr)
    else:
        print(f"lota: job {job} goes on; see lota job wait {job}", file=sys.stderr)
    following.cancel()
    await asyncio.wait((following,))
    return exits.INTERRUPTED


def _answer(job: Job, missing: list[str], *, throw_away: bool) -> int:
    """Say on stderr what went wrong, and return the exit code that the job comes to."""
    for line in missing:
        print(f"lota: {line}", file=sys.stderr)
    if job.state == "completed":
        return LOTA_FAILED if missing else exits.OK
    if job.code == "user" and job.exit_code is not None:
        return job.exit_code
    print(f"lota: job {job.id} {job.state}: {job.reason}", file=sys.stderr)
    if not throw_away:
        more = f"; lota result get {job.id} fetches the results" if job.code == "publishing" else ""
        print(f"      see lota job describe {job.id}{more}", file=sys.stderr)
    return LOTA_FAILED
