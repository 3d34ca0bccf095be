"""A copy of a result behind an HTTP gateway of IPFS, read block by block.

The gateway is asked for raw blocks by their CID and nothing else ("trustless gateway", subset
`?format=raw`: https://specs.ipfs.tech/http-gateways/trustless-gateway/). So it need not be
trusted, and any will do: a Kubo node's own, or a public one.
"""

from collections.abc import Container

from events.cid import cid_bytes, cid_text
from events.errors import ContentError, NotFound, PublishError
from publishers.http import HttpService
from publishers.port import Location

SCHEME = "ipfs://"
MAX_BLOCK_BYTES = 2 << 20
"""Nobody in IPFS passes on a larger block."""

_RAW = {"Accept": "application/vnd.ipld.raw"}
_NOT_FOUND = 404
_ANSWERS: Container[int] = frozenset({200, _NOT_FOUND})


class GatewayCopy:
    """Reads from `<service>/ipfs/<cid>?format=raw`; closes the service when it is closed.

    Give the service no token unless the gateway is one's own: it may be anybody's.
    """

    def __init__(self, service: HttpService) -> None:
        self._service = service

    async def node(self, cid: bytes) -> bytes:
        return await self._block(cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        return await self._block(cid)

    async def close(self) -> None:
        await self._service.close()

    async def _block(self, cid: bytes) -> bytes:
        name = cid_text(cid)
        answer = await self._service.call(
            "GET",
            f"/ipfs/{name}",
            params={"format": "raw"},
            headers=_RAW,
            accept=_ANSWERS,
            limit_bytes=MAX_BLOCK_BYTES,
        )
        if answer.status == _NOT_FOUND:
            raise NotFound(f"{self._service.origin} does not have {name}")
        return answer.body


def ipfs_location(cid: str, size_bytes: int) -> Location:
    """Say where a result is that is found by its CID alone."""
    return Location(f"{SCHEME}{cid}", cid, size_bytes)


def require_ipfs(driver: str, location: Location) -> str:
    """Return the CID of a location that `ipfs_location` gave; raise `PublishError` for others."""
    try:
        cid_bytes(location.cid)
    except ContentError:
        honest = False
    else:
        honest = location.uri == f"{SCHEME}{location.cid}"
    if not honest:
        raise PublishError(
            "bad-location",
            f"{location.uri!r} is no result of the publisher {driver!r}",
            permanent=True,
            hint=f"Use a location that it gave: {SCHEME}<cid>",
        )
    return location.cid
