"""`lota job export`: a job as one file, to be looked at anywhere."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from node.cli.output import note, write_bytes
from node.cli.server import Server, connected

STDOUT = "-"


async def export(
    job: str,
    /,
    *,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], allow_leading_hyphen=True)
    ] = None,
    server: Server | None = None,
) -> None:
    """Write a job's page of the dashboard, with all that it shows, as one HTML file.

    Any browser opens it, without a server and without asking anybody for anything: its timeline,
    shards, verdicts, copies and events, the beginnings of outputs and the names of files, as far as
    they can be read within ten seconds. The file says what it does not hold, and why.

    Example: lota job export 01kb2m -o job.html

    Parameters
    ----------
    job
        The job's id, or the start of it.
    output
        The file to write; without it, stdout.
    """
    from events.clock import now_ms
    from node.cli.opened_results import results_of
    from node.jobs import find_job
    from node.web.job_export import exported_job
    from node.web.kept_results import ResultAccess

    async with connected(server) as connection:
        client = connection.client
        name = await find_job(connection.log, job)
        page = await exported_job(
            connection.log,
            name,
            until=None,
            now_ms=now_ms(),
            access=ResultAccess(client, partial(results_of, client)),
        )
    if output is None or str(output) == STDOUT:
        write_bytes(page)
        return
    await asyncio.to_thread(_write, output, page)
    note(f"lota: {output} shows job {name}; any browser opens it")


def _write(path: Path, page: bytes) -> None:
    from events.archive.files import writing

    with writing(path) as file:
        file.write(page)
