"""The driver `ipfs`: one CAR to a Kubo node, or to a hosted service that speaks its RPC.

The CAR is streamed to `/api/v0/dag/import`, which stores the blocks and pins the root. Kubo begins
its answer with a 200 before it has read everything. What fails later stands in a trailer, which
HTTP clients drop, or in the line of the root. So success is that the line of our root is there and
says no error about its pin, and nothing less.

A repeat imports the same blocks and pins the same root, which changes nothing.
Source: ipfs/kubo, `core/commands/{dag/import,pin/pin,block}.go`; all of it is POST.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

import msgspec

from events.cid import cid_text
from events.errors import NotFound, PublishError
from publishers import reading
from publishers.car import CarPlan
from publishers.gateway import MAX_BLOCK_BYTES, GatewayCopy, ipfs_location, require_ipfs
from publishers.http import PATIENCE_S, Answer, HttpService, required
from publishers.port import Copy, Location, Result, Workplace, require_key
from publishers.root_car import EMPTY_FOLDER, read_root_car
from publishers.threads import in_thread

IMPORT_PATIENCE_S = 600.0
"""Pinning walks the whole DAG, and nothing is said meanwhile."""

IMPORTS_AT_ONCE = 4
"""Of all results together: each holds some 10 MiB while it is sent."""

_API = "/api/v0"
_BASE32 = {"cid-base": "base32"}
_HELD = {"offline": "true", "timeout": "5s"}
"""Asks for what the node holds itself. Not every server knows the first, and searches for ever."""
_OK, _BAD, _NOT_FOUND, _ERROR = 200, 400, 404, 500

_PART = (
    "--{}\r\n"
    'Content-Disposition: form-data; name="file"; filename="result.car"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
)
_END = "\r\n--{}--\r\n"


class _Link(msgspec.Struct):
    cid: str = msgspec.field(name="/")


class _Root(msgspec.Struct, rename="pascal"):
    cid: _Link
    pin_error_msg: str = ""


class _Line(msgspec.Struct, rename="pascal"):
    root: _Root | None = None
    message: str = ""


class _Pins(msgspec.Struct, rename="pascal"):
    keys: dict[str, msgspec.Raw] = {}


class IpfsPublisher:
    """Publishes to the node of the credential's `url`, with its bearer `token` if it has one.

    With a `gateway`, blocks are read from there, else by the node's RPC. There is no target: what
    is found by its CID has no other place.
    """

    name = "ipfs"
    paid = False

    def __init__(self, target: str, credential: Mapping[str, str], workplace: Workplace) -> None:
        if target:
            raise PublishError(
                "bad-target",
                f"the publisher 'ipfs' takes no target, and was given {target[:80]!r}",
                permanent=True,
                hint="Leave it out: the node's address stands in the credential",
            )
        self._url = required(self.name, credential, "url")
        self._token = credential.get("token") or None
        self._gateway = credential.get("gateway") or None
        self._rpc = self._service()
        self._imports = self._service(IMPORT_PATIENCE_S)
        self._slots = asyncio.Semaphore(IMPORTS_AT_ONCE)
        if self._gateway is not None:
            HttpService(self.name, self._gateway)  # a bad address is refused now

    async def check(self) -> None:
        self._require_root(
            await self._import(_whole(EMPTY_FOLDER.car), len(EMPTY_FOLDER.car)), EMPTY_FOLDER.cid
        )

    async def publish(
        self, result: Result, key: str, *, cid: str, replace: bool = False
    ) -> Location:
        require_key(key)
        plan = await asyncio.to_thread(CarPlan, result, cid)
        try:
            async with aclosing(in_thread(plan.chunks())) as chunks:
                answer = await self._import(chunks, plan.size_bytes)
            self._require_root(answer, cid)
            return ipfs_location(cid, plan.skeleton.dag_size_bytes)
        finally:
            await asyncio.to_thread(plan.close)

    async def publish_root(self, car: bytes, *, cid: str) -> Location:
        """Import the folder's blocks and pin each alone: below them it is not complete here."""
        root = await asyncio.to_thread(read_root_car, car, cid)
        await self._import(_whole(car), len(car), pin=False)
        for block in root.blocks:
            await self._pin_alone(cid_text(block))
        return ipfs_location(cid, root.dag_size_bytes)

    async def verify(self, location: Location) -> None:
        cid = require_ipfs(self.name, location)
        await self._require_pin(cid)
        copy = self.copy(location)
        try:
            await reading.verify(copy, cid)
        except NotFound as error:
            raise PublishError("missing", error.what, hint="Publish it again") from error
        finally:
            await copy.close()

    def copy(self, location: Location) -> Copy:
        require_ipfs(self.name, location)
        if self._gateway is not None:
            return GatewayCopy(HttpService(self.name, self._gateway))
        return _RpcCopy(self._service())

    async def close(self) -> None:
        await self._rpc.close()
        await self._imports.close()

    def _service(self, patience_s: float = PATIENCE_S) -> HttpService:
        return HttpService(self.name, self._url, token=self._token, patience_s=patience_s)

    async def _import(
        self, chunks: AsyncIterator[bytes], size_bytes: int, *, pin: bool = True
    ) -> Answer:
        # Nobody can guess it, so no result can end its part and begin another one.
        boundary = secrets.token_hex(16)
        before, behind = _PART.format(boundary).encode(), _END.format(boundary).encode()
        async with self._slots, aclosing(_framed(before, chunks, behind)) as body:
            return await self._imports.call(
                "POST",
                f"{_API}/dag/import",
                params={"pin-roots": "true" if pin else "false", "stats": "true", **_BASE32},
                headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
                body=body,
                size_bytes=len(before) + size_bytes + len(behind),
            )

    def _require_root(self, answer: Answer, cid: str) -> None:
        """Raise unless the answer says that our root is there and pinned."""
        named = ""
        for text in answer.body.splitlines():
            line = self._rpc.decode(answer._replace(body=text), _Line)
            if line.message:
                raise PublishError(
                    "unavailable",
                    f"{self._rpc.origin}: {line.message[:120]}",
                    hint="Repeat it later",
                )
            if line.root is not None:
                named = line.root.cid.cid
                if line.root.pin_error_msg:
                    raise PublishError(
                        "not-pinned",
                        f"{self._rpc.origin} cannot pin it: {line.root.pin_error_msg[:120]}",
                        hint="Look at its disk and its pins, then repeat it",
                    )
        if named == cid:
            return
        if named:
            raise PublishError(
                "wrong-root",
                f"{self._rpc.origin} stored {named[:80]}, not {cid}",
                permanent=True,
                hint="It does not keep blocks as they are: use another service",
            )
        raise PublishError(
            "broken-off",
            f"{self._rpc.origin} ended its answer without naming the root",
            hint="It failed on the way; its own log says why",
        )

    async def _pin_alone(self, cid: str) -> None:
        params = {"arg": cid, "recursive": "false", **_HELD, **_BASE32}
        answer = await self._rpc.call(
            "POST", f"{_API}/pin/add", params=params, accept=(_OK, _BAD, _ERROR)
        )
        said = self._rpc.said(answer)
        if answer.status != _OK and "already pinned recursively" not in said:
            raise PublishError("not-pinned", f"{self._rpc.origin}: {said}", hint="Repeat it later")

    async def _require_pin(self, cid: str) -> None:
        """Raise unless the node keeps the root; hosted services may have no such question."""
        answer = await self._rpc.call(
            "POST",
            f"{_API}/pin/ls",
            params={"arg": cid, "type": "recursive", **_BASE32},
            accept=(_OK, _NOT_FOUND, _ERROR),
        )
        if answer.status == _NOT_FOUND:
            if self._gateway is not None:
                return
            raise PublishError(
                "rejected",
                f"{self._rpc.origin} cannot tell what it pins",
                permanent=True,
                hint="Give the credential a field 'gateway', to read the blocks from",
            )
        said = self._rpc.said(answer)
        if answer.status != _OK and "not pinned" not in said:
            raise PublishError("unavailable", f"{self._rpc.origin}: {said}", hint="Repeat it later")
        if answer.status != _OK or cid not in self._rpc.decode(answer, _Pins).keys:
            raise PublishError(
                "missing", f"{self._rpc.origin} does not pin {cid}", hint="Publish it again"
            )


class _RpcCopy:
    """Reads blocks by the node's RPC; closes the service when it is closed."""

    def __init__(self, service: HttpService) -> None:
        self._service = service

    async def node(self, cid: bytes) -> bytes:
        return await self._block(cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        return await self._block(cid)

    async def close(self) -> None:
        await self._service.close()

    async def _block(self, cid: bytes) -> bytes:
        answer = await self._service.call(
            "POST",
            f"{_API}/block/get",
            params={"arg": cid_text(cid), **_HELD},
            accept=(_OK, _ERROR),
            limit_bytes=MAX_BLOCK_BYTES,
        )
        if answer.status == _OK:
            return answer.body
        said = self._service.said(answer)
        if "not found" in said or "could not find" in said:  # Kubo's words, newer and older
            raise NotFound(f"{self._service.origin} does not have {cid_text(cid)}")
        raise PublishError("unavailable", f"{self._service.origin}: {said}", hint="Repeat it later")


async def _framed(
    before: bytes, chunks: AsyncIterator[bytes], behind: bytes
) -> AsyncGenerator[bytes, None]:
    yield before
    async for chunk in chunks:
        yield chunk
    yield behind


async def _whole(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data
