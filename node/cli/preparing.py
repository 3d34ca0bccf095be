"""From a spec to what can be submitted; results of other jobs are looked up on the network."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from node.cli.output import note
from node.cli.server import Server, connected

if TYPE_CHECKING:
    from events.client.gateway import Submission
    from events.inputs.port import Listable, Progress
    from events.spec import JobSpec


async def prepared(
    spec: "JobSpec", server: Server | None, *, progress: "Progress | None" = None
) -> "Submission":
    """Return the job in normal form with its inputs listed.

    The server is asked only when an input is another job's result. Raises LotaError.
    """
    from events.client.gateway import SOURCES, prepare
    from node.credentials import take_credentials
    from node.inputs.lota import SCHEME, LotaSource

    sources: dict[str, Listable] = dict(SOURCES)
    async with AsyncExitStack() as stack:
        if any(entry.source.lower().startswith(f"{SCHEME}://") for entry in spec.inputs):
            connection = await stack.enter_async_context(connected(server))
            credentials = take_credentials().read
            results = LotaSource(connection.log, connection.client, credentials, note)
            stack.push_async_callback(results.close)
            sources[SCHEME] = results
        return await prepare(spec, sources=sources, progress=progress)
