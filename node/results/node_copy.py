"""A node that ran a shard, as a copy of its result: read by requests over the log's server."""

import asyncio

from nats.aio.client import Client

from node.rpc import CHUNK_BYTES_MAX, read_block, read_result


class NodeCopy:
    """The result of one execution, as the node that ran it gives it out."""

    def __init__(self, client: Client, node: str, execution: str) -> None:
        self._client = client
        self._node = node
        self._execution = execution

    async def node(self, cid: bytes) -> bytes:
        return await read_block(self._client, self._node, self._execution, cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        """Ask for the parts of the chunk at one time: an answer holds half of a large one."""
        end = offset + size_bytes
        parts = [
            read_result(
                self._client,
                self._node,
                self._execution,
                path,
                offset=start,
                limit=min(CHUNK_BYTES_MAX, end - start),
            )
            for start in range(offset, end, CHUNK_BYTES_MAX)
        ]
        return b"".join([chunk.data for chunk in await asyncio.gather(*parts)])

    async def close(self) -> None:
        pass
