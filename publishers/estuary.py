"""The driver `estuary`: one CAR to an Estuary node or one of its shuttles.

The contract is that of application-research/estuary, v0.4.3. The public service closed in 2023, so
`url` of the credential points at a node of one's own. Estuary gives every upload an id of its own
and shuttles do not look for duplicates; so the CID is asked for first. A repeat after a crash in
between makes a second record of the same content: nothing is lost, and no second URI appears.
"""

import asyncio
import re
from collections.abc import Mapping

import httpx
import msgspec

from events.errors import NotFound, PublishError
from publishers import reading
from publishers.car import CarPlan
from publishers.gateway import GatewayCopy, ipfs_location, require_ipfs
from publishers.http import HttpService, required
from publishers.port import Copy, Location, Result, Workplace, require_key
from publishers.threads import in_thread

DEFAULT_URL = "https://api.estuary.tech"
ADD = "/content/add"
ADD_CAR = "/content/add-car"
UPLOAD_PATIENCE_S = 300.0
"""The service answers only when it has stored the whole body."""
ACTIVE_S = 300.0
"""How long it may take from the upload until the content is active."""
FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 5.0

_COLLECTION = re.compile(r"\w[\w .-]{0,199}")
_OK = 200
_CONFLICT = 409
_NEXT_END_POINT = {"unreachable", "timeout", "broken-off", "busy", "unavailable"}


class _Settings(msgspec.Struct, rename="camel"):
    upload_endpoints: list[str] = []
    content_adding_disabled: bool = False


class _Viewer(msgspec.Struct):
    settings: _Settings


class _Added(msgspec.Struct, rename="camel"):
    cid: str
    estuary_id: int


class _Content(msgspec.Struct):
    id: int
    cid: str
    active: bool = False
    failed: bool = False


class _Status(msgspec.Struct):
    content: _Content


class _Collection(msgspec.Struct, rename="camel"):
    uuid: str
    name: str
    created_at: str = ""


class EstuaryPublisher:
    """Publishes to the account that the credential's `token` belongs to.

    `target` is empty, or names the collection that every result is put into. Fields of the
    credential: `token` (a user's key, EST...ARY), `url`, and `gateway`, which blocks are read
    from (default: the one that is part of the service).
    """

    name = "estuary"
    paid = False

    def __init__(self, target: str, credential: Mapping[str, str], workplace: Workplace) -> None:
        if target and not _COLLECTION.fullmatch(target):
            raise PublishError(
                "bad-target",
                f"the publisher 'estuary' cannot use {target[:80]!r}",
                permanent=True,
                hint="Leave it out, or name a collection by letters, digits, blanks, '.', '-', '_'",
            )
        self._collection = target
        self._token = required(self.name, credential, "token")
        url = credential.get("url") or DEFAULT_URL
        self._api = HttpService(self.name, url, token=self._token)
        self._gateway = credential.get("gateway") or f"{self._api.url}/gw"
        HttpService(self.name, self._gateway)  # refuse a bad address now, not when it is read

    async def check(self) -> None:
        await self._end_points()

    async def publish(
        self, result: Result, key: str, *, cid: str, replace: bool = False
    ) -> Location:
        require_key(key)
        plan = await asyncio.to_thread(CarPlan, result, cid)
        try:
            content = await self._known(cid)
            if content is None:
                added = await self._upload(plan, key, cid)
                content = await self._active(added, cid)
            if self._collection:
                await self._collect(content)
            size_bytes = plan.skeleton.dag_size_bytes
        finally:
            await asyncio.to_thread(plan.close)
        return ipfs_location(cid, size_bytes)

    async def verify(self, location: Location) -> None:
        cid = require_ipfs(self.name, location)
        if await self._known(cid) is None:
            raise _missing(cid)
        copy = self._copy()
        try:
            await reading.verify(copy, cid)
        except NotFound as error:
            raise _missing(cid) from error
        finally:
            await copy.close()

    def copy(self, location: Location) -> Copy:
        require_ipfs(self.name, location)
        return self._copy()

    async def close(self) -> None:
        await self._api.close()

    def _copy(self) -> GatewayCopy:
        return GatewayCopy(HttpService(self.name, self._gateway))

    async def _known(self, cid: str) -> int | None:
        """Return the id under which this account holds the content, active; None if it does not."""
        answer = await self._api.call("GET", f"/content/by-cid/{cid}")
        for found in self._api.decode(answer, list[_Status]):
            if found.content.active and found.content.cid == cid:
                return found.content.id
        return None

    async def _end_points(self) -> list[str]:
        """Return where to upload to, best first: the service's shuttles, then the service."""
        answer = await self._api.call("GET", "/viewer")
        settings = self._api.decode(answer, _Viewer).settings
        if settings.content_adding_disabled:
            raise PublishError(
                "disabled",
                f"{self._api.origin} takes no content now",
                hint="Its operator has switched that off: repeat it later, or publish elsewhere",
            )
        bases = [*settings.upload_endpoints, self._api.url + ADD]
        if not all(self._safe(base) for base in bases):
            raise PublishError(
                "bad-answer",
                f"{self._api.origin} names an end point that is no {ADD} as well protected",
                hint="Check that the credential's address is that of an Estuary node",
            )
        return list(dict.fromkeys(base.removesuffix(ADD) for base in bases))

    def _safe(self, end_point: str) -> bool:
        """Say whether the token may be sent there: never unprotected when the service is not."""
        try:
            url = httpx.URL(end_point)
        except httpx.InvalidURL:
            return False
        schemes = {"https"} if self._api.url.startswith("https:") else {"http", "https"}
        return url.scheme in schemes and bool(url.host) and end_point.endswith(ADD)

    async def _upload(self, plan: CarPlan, key: str, cid: str) -> int | None:
        """Return the id of the new content; None when it was there already, and has another."""
        last: PublishError | None = None
        for end_point in await self._end_points():
            try:
                return await self._add_car(end_point, plan, key, cid)
            except PublishError as error:
                if error.code not in _NEXT_END_POINT:
                    raise
                last = error
        assert last is not None
        raise last

    async def _add_car(self, end_point: str, plan: CarPlan, key: str, cid: str) -> int | None:
        service = HttpService(self.name, end_point, token=self._token, patience_s=UPLOAD_PATIENCE_S)
        chunks = in_thread(plan.chunks())
        try:
            answer = await service.call(
                "POST",
                ADD_CAR,
                params={"filename": f"{key.replace('/', '.')}.car", "ignore-dupes": "true"},
                headers={"Content-Type": "application/vnd.ipld.car"},
                body=chunks,
                size_bytes=plan.size_bytes,
                accept={_OK, _CONFLICT},
            )
            if answer.status == _CONFLICT:
                if cid not in answer.body.decode("utf-8", "replace"):
                    raise PublishError("bad-answer", f"{end_point}: {service.said(answer)}")
                return None
            added = service.decode(answer, _Added)
        finally:
            await chunks.aclose()
            await service.close()
        if added.cid != cid:
            raise PublishError(
                "wrong-root",
                f"{end_point} has stored {added.cid[:80]!r}, not {cid}",
                permanent=True,
                hint="It did not keep what it was sent: publish elsewhere",
            )
        return added.estuary_id

    async def _active(self, added: int | None, cid: str) -> int:
        """Wait until the content is active and return its id; raise when it fails or takes long."""
        pause_s = FIRST_PAUSE_S
        try:
            async with asyncio.timeout(ACTIVE_S):
                while True:
                    known = await (self._known(cid) if added is None else self._settled(added, cid))
                    if known is not None:
                        return known
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LAST_PAUSE_S)
        except TimeoutError:
            raise PublishError(
                "pending",
                f"{self._api.origin} has {cid}, and has not made it active in {ACTIVE_S:.0f} s",
                hint="Repeat it later: what is there is found by its CID",
            ) from None

    async def _settled(self, added: int, cid: str) -> int | None:
        answer = await self._api.call("GET", f"/content/status/{added}")
        content = self._api.decode(answer, _Status).content
        if content.failed:
            raise PublishError(
                "failed",
                f"{self._api.origin} could not pin {cid}",
                hint="Repeat it; if it stays so, ask its operator about the content's id",
            )
        if content.active and content.cid != cid:
            raise PublishError(
                "wrong-root",
                f"{self._api.origin} holds {content.cid[:80]!r} under the id of {cid}",
                permanent=True,
                hint="It did not keep what it was sent: publish elsewhere",
            )
        return content.id if content.active else None

    async def _collect(self, content: int) -> None:
        """Put the content into the collection; its CID is never asked for, since it is not ours.

        Committing a collection would build a folder by other rules than a job's root.
        """
        collection = await self._found_collection()
        if collection is None:
            body = msgspec.json.encode({"name": self._collection, "description": ""})
            json = {"Content-Type": "application/json"}
            await self._api.call("POST", "/collections", headers=json, body=body)
            collection = await self._found_collection()
        if collection is None:
            raise PublishError(
                "bad-answer",
                f"{self._api.origin} does not list the collection {self._collection!r} it has made",
                hint="Repeat it later",
            )
        await self._api.call(
            "POST",
            f"/collections/{collection}",
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode([content]),
        )

    async def _found_collection(self) -> str | None:
        """Return the oldest of that name: nodes that race may have made several."""
        answer = await self._api.call("GET", "/collections")
        listed = self._api.decode(answer, list[_Collection])
        named = [(one.created_at, one.uuid) for one in listed if one.name == self._collection]
        return min(named)[1] if named else None


def _missing(cid: str) -> PublishError:
    return PublishError("missing", f"the account does not hold {cid}", hint="Publish it again")
