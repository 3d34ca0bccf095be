"""The driver `web3storage`: pieces of a CAR, as the service's own JavaScript client sent them.

The public service takes no uploads since January 2024 and answers 410; the driver is for end
points that are compatible with it. What it does is what web3.storage 4.5.5 did in `put()`: pieces
by carbites' TreewalkCarSplitter, three at a time, 30 requests in 10 s for a token, five more tries
where another may help, and every answer must name our root.

A repeat sends the same pieces, and the service keys them by their hash and the upload by its root.
Source: web3-storage/web3.storage, `packages/client/src/lib.js` and `packages/api/src/car.js`.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from urllib.parse import quote

import msgspec

from events.car import section
from events.errors import NotFound, PublishError
from publishers import reading
from publishers.car import CarPlan
from publishers.gateway import GatewayCopy, ipfs_location, require_ipfs
from publishers.http import HttpService, required
from publishers.in_parallel import for_each
from publishers.port import Copy, Location, Result, Workplace, require_key
from publishers.rate_limit import RateLimit, shared_limit
from publishers.root_car import EMPTY_FOLDER, EMPTY_FOLDER_BLOCK, read_root_car
from publishers.threads import in_thread

PIECE_BYTES = 50 << 20
PIECES_AT_ONCE = 3
"""Of all results together: each holds some 10 MiB while it is sent."""
MAX_CAR_BYTES = 100_000_000
REQUESTS = 30
WINDOW_S = 10.0
RETRIES = 5
FIRST_PAUSE_S = 0.1
"""Doubled with each try, three seconds in all: what fails longer is for a later publication."""
BUSY_FACTOR = 10
"""As much longer are the pauses after a 429: the service shuts a token out for 30 s."""
UPLOAD_PATIENCE_S = 120.0

DEFAULT_URL = "https://api.web3.storage"
_CAR = "application/vnd.ipld.car"
_OK, _NOT_FOUND = 200, 404
_SUCCESSORS = "Publish with 'ipfs' at a Kubo node or a hosted service, or with 's3'"


class _Uploaded(msgspec.Struct):
    cid: str


class _Pin(msgspec.Struct):
    status: str


class _Status(msgspec.Struct):
    cid: str
    pins: list[_Pin] = []


class Web3StoragePublisher:
    """Publishes with the account of the credential's `token`, at its `url`.

    Blocks are read from its `gateway`; without one nothing can be read back. `limit`, the wait
    before the second try and the size of pieces are what the service asks for by default.
    """

    name = "web3storage"
    paid = False

    def __init__(
        self,
        target: str,
        credential: Mapping[str, str],
        workplace: Workplace,
        *,
        limit: RateLimit | None = None,
        first_pause_s: float = FIRST_PAUSE_S,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        if target:
            raise PublishError(
                "bad-target",
                f"the publisher 'web3storage' takes no target, and was given {target[:80]!r}",
                permanent=True,
                hint="Leave it out: the account stands in the credential",
            )
        token = required(self.name, credential, "token")
        url = credential.get("url") or DEFAULT_URL
        self._api = HttpService(self.name, url, token=token, patience_s=UPLOAD_PATIENCE_S)
        self._gateway = credential.get("gateway") or None
        if self._gateway is not None:
            HttpService(self.name, self._gateway)  # a bad address is refused now
        self._limit = limit or shared_limit(self._api.url, token, REQUESTS, WINDOW_S)
        self._slots = asyncio.Semaphore(PIECES_AT_ONCE)
        self._first_pause_s = first_pause_s
        self._piece_bytes = piece_bytes

    async def check(self) -> None:
        """Upload the empty folder, which nearly every result holds anyway; tries only once."""
        probe = EMPTY_FOLDER
        named = await self._send_once(iter([probe.car]), len(probe.car), "Lota")
        self._require_root(named, probe.cid)

    async def publish(
        self, result: Result, key: str, *, cid: str, replace: bool = False
    ) -> Location:
        require_key(key)
        plan = await asyncio.to_thread(CarPlan, result, cid)
        try:
            async with aclosing(in_thread(plan.pieces(self._piece_bytes))) as pieces:
                await for_each(
                    pieces,
                    lambda piece: self._send(piece.chunks, piece.size_bytes, key, cid),
                    PIECES_AT_ONCE,
                )
            return ipfs_location(cid, plan.skeleton.dag_size_bytes)
        finally:
            await asyncio.to_thread(plan.close)

    async def publish_root(self, car: bytes, *, cid: str) -> Location:
        """Send the folder's blocks as one CAR.

        The service refuses a root that has links and comes alone. It cannot check that the second
        block belongs to it, so the empty folder keeps it company.
        """
        root = await asyncio.to_thread(read_root_car, car, cid)
        if root.links and len(root.blocks) == 1:
            car += section(*EMPTY_FOLDER_BLOCK)
        if len(car) > MAX_CAR_BYTES:
            raise PublishError(
                "too-large",
                f"the job's root takes {len(car)} bytes, and the service {MAX_CAR_BYTES} at most",
                permanent=True,
                hint="Publish it with 'ipfs', or make fewer shards",
            )
        await self._send(lambda: iter([car]), len(car), "Lota job", cid)
        return ipfs_location(cid, root.dag_size_bytes)

    async def verify(self, location: Location) -> None:
        """Ask whether the account has the upload, and whole; with a gateway, read all of it."""
        cid = require_ipfs(self.name, location)
        await self._ask(f"/user/uploads/{cid}", cid)
        status = await self._ask(f"/status/{cid}", cid)
        if not any(pin.status == "Pinned" for pin in status.pins):
            raise PublishError(
                "incomplete",
                f"{self._api.origin} has not put all pieces of {cid} together",
                hint="Verify it later, or publish it again",
            )
        if self._gateway is None:
            return
        copy = self.copy(location)
        try:
            await reading.verify(copy, cid)
        except NotFound as error:
            raise _missing(error.what) from error
        finally:
            await copy.close()

    def copy(self, location: Location) -> Copy:
        require_ipfs(self.name, location)
        gateway = required(self.name, {"gateway": self._gateway or ""}, "gateway")
        return GatewayCopy(HttpService(self.name, gateway))

    async def close(self) -> None:
        await self._api.close()

    async def _send(
        self, chunks: Callable[[], Iterator[bytes]], size_bytes: int, name: str, cid: str
    ) -> None:
        """Upload one CAR, again while another try may help; `chunks` is asked for each try."""
        pause_s = self._first_pause_s
        for tries_left in reversed(range(RETRIES + 1)):
            try:
                named = await self._send_once(chunks(), size_bytes, name)
            except PublishError as error:
                if error.permanent or not tries_left:
                    raise
                busy = error.code == "busy"
            else:
                self._require_root(named, cid)
                return
            await asyncio.sleep(pause_s * BUSY_FACTOR if busy else pause_s)
            pause_s *= 2

    def _require_root(self, named: str, cid: str) -> None:
        if named != cid:
            raise PublishError(
                "wrong-root",
                f"{self._api.origin} stored {named[:80]}, not {cid}",
                permanent=True,
                hint="It does not keep blocks as they are: use another service",
            )

    async def _send_once(self, chunks: Iterator[bytes], size_bytes: int, name: str) -> str:
        """Upload one CAR and return the root that the service names."""
        headers = {"Content-Type": _CAR, "X-Name": quote(name, safe="!'()*~")}
        try:
            async with self._slots, aclosing(in_thread(chunks)) as body:
                await self._limit.turn()
                answer = await self._api.call(
                    "POST", "/car", headers=headers, body=body, size_bytes=size_bytes
                )
        except PublishError as error:
            if error.code != "gone":
                raise
            raise PublishError("gone", error.what, permanent=True, hint=_SUCCESSORS) from error
        return self._api.decode(answer, _Uploaded).cid

    async def _ask(self, path: str, cid: str) -> _Status:
        await self._limit.turn()
        answer = await self._api.call("GET", path, accept=(_OK, _NOT_FOUND))
        if answer.status == _NOT_FOUND:
            raise _missing(f"{self._api.origin} does not know {cid}")
        return self._api.decode(answer, _Status)


def _missing(what: str) -> PublishError:
    return PublishError("missing", what, hint="Publish it again")
