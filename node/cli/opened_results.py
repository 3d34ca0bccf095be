"""A job's results, opened for the time of one command."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

from node.cli.output import note
from node.cli.server import Connection

if TYPE_CHECKING:
    from nats.aio.client import Client

    from node.credentials import Credentials
    from node.results.job_results import JobResults
    from projections.nodes import Nodes
    from projections.state import Job


@asynccontextmanager
async def opened_results(connection: Connection, job: str) -> AsyncIterator["JobResults"]:
    """Open the results of the job that `job` names, by its id or the start of it.

    Raises NotFound, WrongUsage.
    """
    from node.jobs import find_job, load_job

    name = await find_job(connection.log, job)
    loaded = await load_job(connection.log, name, with_nodes=True)
    async with results_of(connection.client, loaded.job, loaded.nodes) as results:
        yield results


@asynccontextmanager
async def results_of(client: "Client", job: "Job", nodes: "Nodes") -> AsyncIterator["JobResults"]:
    """Open the results of a job that is folded already."""
    from node.results.job_results import JobResults

    results = await asyncio.to_thread(
        partial(JobResults, job, nodes, client=client, warn=_warn, credentials=_credential)
    )
    try:
        yield results
    finally:
        await results.close()


def _warn(text: str) -> None:
    note(f"lota: {text}")


def _credential(name: str) -> Mapping[str, str]:
    return _credentials().read(name)


@cache
def _credentials() -> "Credentials":
    """Take the reader's own credentials, from where a node would take its operator's."""
    from node.credentials import take_credentials

    return take_credentials()
