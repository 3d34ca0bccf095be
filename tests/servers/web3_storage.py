"""The legacy HTTP API of web3.storage, as web3-storage/web3.storage v7.25.1 had it.

It checks what the real one checked, which its own JavaScript client (web3.storage 4.5.5) once
proved by uploading to it, and serves raw blocks as the gateway of the service did. It runs in a
thread with an event loop of its own. The checks are written apart from those of the drivers.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from events.car import car
from events.cid import DAG_PB, cid_bytes, cid_text
from events.dagpb import decode

HOST = "127.0.0.1"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.good"
OTHER_TOKEN = "eyJhbGciOiJIUzI1NiJ9.also-good"
BLOCKED_TOKEN = "eyJhbGciOiJIUzI1NiJ9.blocked"
MAX_BLOCK_BYTES = 1 << 21
MAX_REQUEST_BYTES = 100_000_000
WINDOW_REQUESTS = 30
WINDOW_S = 10.0
BLOCKED_S = 30.0
CREATED = "2023-11-23T08:00:00.000Z"

_ROOTS = b"\xa2\x65roots"
_LINK = b"\xd8\x2a\x58\x25\x00"


class Refusal(Exception):
    """An answer that is no success: its status, and the code and message of its body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message}


class Arrival(NamedTuple):
    """One CAR that was accepted or refused."""

    name: str
    size_bytes: int
    sha256: str
    status: int


@dataclass
class Quota:
    """The requests of one token in the present window."""

    began: float = -WINDOW_S
    count: int = 0
    blocked_until: float = 0.0


@dataclass
class Web3Storage:
    """One service with nothing in it.

    `scale` shortens the windows of the rate limit. `sunset` makes it what it is today: read-only.
    `failures` are statuses for the next uploads, before anything is looked at; `other_root` is
    named in answers instead of the root.
    """

    scale: float = 1.0
    sunset: bool = False
    failures: list[int] = field(default_factory=list)
    other_root: str | None = None
    blocks: dict[bytes, bytes] = field(default_factory=dict)
    uploads: dict[tuple[str, str], str] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    refused_for_rate: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._users = {TOKEN: "ann", OTHER_TOKEN: "bob", BLOCKED_TOKEN: "eve"}
        self._quotas: dict[str, Quota] = {}

    @property
    def url(self) -> str:
        """The base address, of the API and the gateway alike."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        # Only a socket that says it is TCP gets TCP_NODELAY; else each answer waits 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind((HOST, 0))
        listener.listen(512)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(self._app(), log_level="error", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        threading.Thread(
            target=self._server.run, args=([listener],), name="web3.storage", daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        # The thread ends by itself at its next tick: nobody needs to wait for that.
        self._server.should_exit = True
        self._server.force_exit = True

    def complete(self, root: bytes) -> bool:
        """Whether all blocks below the root are here: what the real one calls "linkdex"."""
        return all(cid in self.blocks for cid in self.below(root))

    def forget(self, root: bytes) -> None:
        """Lose an upload with all its blocks."""
        for cid in list(self.below(root)):
            self.blocks.pop(cid, None)
        for key in [key for key in self.uploads if key[1] == cid_text(root)]:
            del self.uploads[key]

    def below(self, root: bytes) -> Iterator[bytes]:
        """Yield the root and every CID under it, as far as blocks are here."""
        waiting, seen = [root], {root}
        while waiting:
            cid = waiting.pop()
            yield cid
            block = self.blocks.get(cid)
            if block is not None and cid[1] == DAG_PB:
                below = {link.cid for link in decode(block)[0]} - seen
                waiting += below
                seen |= below

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/car", self._refusing(self._post_car), methods=["POST"]),
                Route("/car/{cid}", self._refusing(self._get_car)),
                Route("/status/{cid}", self._refusing(self._get_status)),
                Route("/user/uploads", self._refusing(self._list_uploads)),
                Route("/user/uploads/{cid}", self._refusing(self._get_upload)),
                Route("/ipfs/{cid}", self._refusing(self._get_block)),
                Route("/version", self._refusing(lambda _: JSONResponse({"version": "7.25.1"}))),
            ]
        )

    def _refusing(self, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        """Read the body before anything is refused, as the edge of the real one did."""

        async def serve(request: Request) -> Response:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                await request.body()
                return answer(request)
            except Refusal as refusal:
                return JSONResponse(refusal.body, refusal.status)
            finally:
                self.in_flight -= 1

        return serve

    def _post_car(self, request: Request) -> Response:
        body: bytes = request._body  # was read before
        status = 500
        try:
            user = self._user(request, writes=True)
            if len(body) > MAX_REQUEST_BYTES:
                raise Refusal(413, "ERROR_TOO_LARGE", "Payload Too Large")
            if self.failures:
                raise Refusal(self.failures.pop(0), "HTTP_ERROR", "Internal Server Error")
            root = self._store(body)
            status = 200
        except Refusal as refusal:
            status = refusal.status
            raise
        finally:
            name = unquote(request.headers.get("X-Name", ""))
            self.arrivals.append(Arrival(name, len(body), sha256(body).hexdigest(), status))
        self.uploads.setdefault((user, cid_text(root)), name or f"Upload at {CREATED}")
        return JSONResponse({"cid": self.other_root or cid_text(root), "carCid": "bagbaiera"})

    def _store(self, body: bytes) -> bytes:
        """Check a CAR as `carStat` did, and keep its blocks."""
        try:
            roots, blocks = parsed(body)
        except (ValueError, IndexError) as error:
            raise _invalid(str(error)) from error
        if len(roots) != 1:
            raise _invalid("too many roots" if roots else "missing roots")
        if not blocks:
            raise _invalid("empty CAR")
        for cid, block in blocks:
            if len(block) > MAX_BLOCK_BYTES:
                raise _invalid(f"block too big: {len(block)} > {MAX_BLOCK_BYTES}")
            if cid[:2] != b"\x01" + cid[1:2] or cid[4:] != sha256(block).digest():
                raise _invalid("hash mismatch")
        known = dict(blocks)
        (root,) = roots
        if root not in known:
            raise _invalid("missing root block")
        if root[1] == DAG_PB and decode(known[root])[0] and len(blocks) < 2:
            raise _invalid("CAR must contain at least one non-root block")
        self.blocks.update(known)
        return root

    def _user(self, request: Request, *, writes: bool = False) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(401, "ERROR_NO_TOKEN", "No token found in `Authorization: Bearer `")
        if not token.startswith("eyJ"):
            raise Refusal(401, "ERROR_UNRECOGNISED_TOKEN", "Could not parse provided API token")
        if token not in self._users:
            raise Refusal(401, "ERROR_TOKEN_NOT_FOUND", "API token no longer valid")
        self._count(token)
        if writes and self.sunset:
            raise Refusal(
                410, "ERROR_FEATURE_HAS_BEEN_SUNSET", "This API feature has been sunset: /car"
            )
        if writes and token == BLOCKED_TOKEN:
            raise Refusal(403, "ERROR_TOKEN_BLOCKED", "Token is blocked, please contact support")
        return self._users[token]

    def _count(self, token: str) -> None:
        """Count a request against its token, and block a token that asks too much."""
        now = time.monotonic()
        quota = self._quotas.setdefault(token, Quota())
        if now - quota.began >= WINDOW_S * self.scale:
            quota.began, quota.count = now, 0
        quota.count += 1
        if quota.count > WINDOW_REQUESTS:
            quota.blocked_until = now + BLOCKED_S * self.scale
        if now < quota.blocked_until:
            self.refused_for_rate += 1
            raise Refusal(429, "ERROR_RATE_LIMITED", "Too many requests")

    def _upload(self, user: str, cid: str) -> dict[str, Any]:
        name = self.uploads.get((user, cid))
        if name is None:
            raise Refusal(404, "NOT_FOUND", "Not Found")
        return {"name": name, "cid": cid, **self._state(cid)}

    def _state(self, cid: str) -> dict[str, Any]:
        status = "Pinned" if self.complete(cid_bytes(cid)) else "Pinning"
        pin = {"peerId": "12D3", "peerName": "elastic", "region": "", "status": status}
        return {"created": CREATED, "dagSize": 0, "pins": [pin], "deals": []}

    def _get_upload(self, request: Request) -> Response:
        return JSONResponse(self._upload(self._user(request), request.path_params["cid"]))

    def _list_uploads(self, request: Request) -> Response:
        user = self._user(request)
        mine = [self._upload(user, cid) for owner, cid in self.uploads if owner == user]
        size = int(request.query_params.get("size", "25"))
        return JSONResponse(mine[:size], headers={"Count": str(len(mine))})

    def _get_status(self, request: Request) -> Response:
        cid = request.path_params["cid"]
        if not any(cid == uploaded for _, uploaded in self.uploads):
            return JSONResponse({"message": "Not Found"}, 404)
        return JSONResponse({"cid": cid, **self._state(cid)})

    def _get_car(self, request: Request) -> Response:
        root = cid_bytes(request.path_params["cid"])
        if not self.complete(root):
            return JSONResponse({"message": "Not Found"}, 404)
        body = car(root, [(cid, self.blocks[cid]) for cid in self.below(root)])
        return Response(body, media_type="application/vnd.ipld.car")

    def _get_block(self, request: Request) -> Response:
        block = self.blocks.get(cid_bytes(request.path_params["cid"]))
        if block is None or request.query_params.get("format") != "raw":
            return Response("not found", 404)
        return Response(block, media_type="application/vnd.ipld.raw")


def parsed(body: bytes) -> tuple[list[bytes], list[tuple[bytes, bytes]]]:
    """Return the roots and the blocks of a CARv1; raise `ValueError` or `IndexError` for none."""
    size_bytes, at = _varint(body, 0)
    header = body[at : at + size_bytes]
    if not header.startswith(_ROOTS) or not header.endswith(b"gversion\x01"):
        raise ValueError("Invalid CAR header format")
    roots = re.findall(re.escape(_LINK) + b"(.{36})", header, re.DOTALL)
    at += size_bytes
    blocks: list[tuple[bytes, bytes]] = []
    while at < len(body):
        size_bytes, at = _varint(body, at)
        if at + size_bytes > len(body) or size_bytes < 36:
            raise ValueError("Unexpected end of data")
        blocks.append((body[at : at + 36], body[at + 36 : at + size_bytes]))
        at += size_bytes
    return roots, blocks


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


def _invalid(why: str) -> Refusal:
    return Refusal(400, "ERROR_INVALID_CAR", f"Invalid CAR file received: {why}")
