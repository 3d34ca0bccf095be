"""A result that a node serves over HTTP, as a copy of it.

The address stands in what the node said when it joined, so it may lead anywhere. What comes back
is checked like any block, no redirect is followed, and what is sent is the path of a result and
the token that all nodes of the network who serve results share.
"""

import os
from collections.abc import Container
from urllib.parse import quote_from_bytes

from events.cid import cid_text
from events.errors import NotFound
from events.unixfs import CHUNK_SIZE_BYTES
from publishers.http import Answer, HttpService

PATIENCE_S = 20.0

_WHOLE, _PART, _NOT_FOUND = 200, 206, 404
_ANSWERS: Container[int] = frozenset({_WHOLE, _PART, _NOT_FOUND})


class ServedCopy:
    """One shard's result below `url`: `/blocks/<job>/<shard>/<cid>`, `/results/<job>/<shard>/...`.

    Raises `PublishError` for an address that cannot be used.
    """

    def __init__(self, url: str, job: str, shard: int, *, token: str | None = None) -> None:
        self._service = HttpService("results", url, token=token, patience_s=PATIENCE_S)
        self._key = f"{job}/{shard}"

    async def node(self, cid: bytes) -> bytes:
        return (await self._get(f"/blocks/{self._key}/{cid_text(cid)}", {})).body

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        if not size_bytes:
            return b""
        name = quote_from_bytes(os.fsencode(path))
        wanted = {"Range": f"bytes={offset}-{offset + size_bytes - 1}"}
        answer = await self._get(f"/results/{self._key}/{name}", wanted)
        # A server, or a proxy before it, may give the whole file although a part was asked for.
        whole = answer.status == _WHOLE
        return answer.body[offset : offset + size_bytes] if whole else answer.body

    async def close(self) -> None:
        await self._service.close()

    async def _get(self, path: str, headers: dict[str, str]) -> Answer:
        answer = await self._service.call(
            "GET", path, headers=headers, accept=_ANSWERS, limit_bytes=CHUNK_SIZE_BYTES
        )
        if answer.status == _NOT_FOUND:
            raise NotFound(f"{self._service.url} does not have {path}")
        return answer
