"""What commands print: accepted and checked, or as far as they have come."""

from contextlib import AsyncExitStack, aclosing

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
    gateway = api.network
    told = await api.observer.job(path.id, await api.observer.at(None))
    shard_indexes(told.job, query.shard)
    async with AsyncExitStack() as stack:
        results = await stack.enter_async_context(gateway.results(told.job, told.nodes))
        chunks = printed(gateway.client, results, query.shard, query.stream, offset=query.offset)
        await stack.enter_async_context(aclosing(chunks))
        first = await anext(chunks, b"")
        headers = {**HARMLESS, "content-type": TEXT}
        return BytesAnswer(begun(first, chunks), 200, headers, stack.pop_all())
