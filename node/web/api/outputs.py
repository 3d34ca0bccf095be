"""What commands print: accepted and checked, or as far as they have come."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from starlette.responses import Response

from node.jobs import shard_indexes
from node.results.printed import printed
from node.web.api.asking import JobPath, OutputQuery
from node.web.api.bytes_answer import HARMLESS, TEXT, BytesAnswer, begun
from node.web.api.shared import Api


async def get_job_logs(api: Api, path: JobPath, query: OutputQuery) -> Response:
    """Give what the command of a shard printed, from a byte on.

    Of a shard that has no verdict yet, it is what its node says that the command has printed so
    far. Nodes hold it, so there is only what it is now.
    """
    async with AsyncExitStack() as stack:
        chunks = await stack.enter_async_context(output(api, path, query))
        first = await anext(chunks, b"")
        headers = {**HARMLESS, "content-type": TEXT}
        return BytesAnswer(begun(first, chunks), 200, headers, stack.pop_all())


@asynccontextmanager
async def output(
    api: Api, path: JobPath, query: OutputQuery
) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    """Open what a command printed; it is read as it is wanted. Raises LotaError."""
    gateway = api.network
    told = await api.observer.job(path.id, await api.observer.at(None))
    shard_indexes(told.job, query.shard)
    async with gateway.results(told.job, told.nodes) as results:
        chunks = printed(gateway.client, results, query.shard, query.stream, offset=query.offset)
        async with aclosing(chunks):
            yield chunks
