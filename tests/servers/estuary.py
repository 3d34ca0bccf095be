"""A local Estuary: the end points, shapes and refusals of v0.4.3 that the driver meets.

One server a process, in a thread of its own, which ends with the process. Each account has its own
key and contents, so that tests do not see each other. The gateway of one account is at
`/accounts/<name>/gw`, since a test may spoil its blocks.
"""

import hashlib
import re
import socket
import threading
import uuid
from base64 import b32decode, b32encode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HOST = "127.0.0.1"
LEVELS = {"upload": 1, "user": 2}


def key() -> str:
    """Make a key as Estuary does."""
    return f"EST{uuid.uuid4()}ARY"


@dataclass
class Content:
    """A row of the contents: `polls` is how often its status is still asked for in vain."""

    id: int
    cid: str
    name: str
    polls: int
    failed: bool = False
    via: str = ""

    @property
    def active(self) -> bool:
        return self.polls <= 0 and not self.failed


@dataclass
class Account:
    """One user, what they hold, and what shall go wrong for them."""

    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    user_key: str = field(default_factory=key)
    upload_key: str = field(default_factory=key)
    expired_key: str = field(default_factory=key)
    contents: list[Content] = field(default_factory=list)
    blocks: dict[bytes, bytes] = field(default_factory=dict)
    collections: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    polls: int = 1
    polls_by_cid: bool = False
    """Whether asking by CID counts as one."""
    adding_disabled: bool = False
    end_points: list[str] | None = None
    """Instead of the shuttle's and the service's own."""
    shuttle_down: bool = False
    wrong_root: bool = False
    pinning_fails: bool = False

    def whole(self, cid: str) -> bool:
        """Say whether the DAG below a CID is there, every block with the hash of its CID."""
        waiting = [cid_of(cid)]
        while waiting:
            one = waiting.pop()
            block = self.blocks.get(one)
            if block is None or hashlib.sha256(block).digest() != one[4:]:
                return False
            waiting += links(one, block)
        return True


class Estuary:
    """The server: `url` is where it listens."""

    def __init__(self) -> None:
        self.accounts: list[Account] = []
        self._ids = iter(range(1, 1 << 30))
        # With its protocol named, or asyncio leaves Nagle's delay of 40 ms on.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind((HOST, 0))
        listener.listen()
        self.port: int = listener.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        config = uvicorn.Config(
            self._application(), log_level="critical", lifespan="off", ws="none", http="h11"
        )
        server = uvicorn.Server(config)
        # The socket listens already: whoever connects early waits in its queue.
        threading.Thread(target=server.run, args=([listener],), daemon=True).start()

    def account(self) -> Account:
        """Make a user."""
        made = Account()
        self.accounts.append(made)
        return made

    def _application(self) -> Starlette:
        user, upload = LEVELS["user"], LEVELS["upload"]
        routes = [
            self._route("/viewer", self._viewer, upload),
            self._route("/content/add-car", self._add_car, upload, "POST"),
            self._route("/shuttle/content/add-car", self._add_car, upload, "POST"),
            self._route("/content/by-cid/{cid}", self._by_cid, user),
            self._route("/content/status/{id}", self._status, user),
            self._route("/collections", self._collections, user, "GET", "POST"),
            self._route("/collections/{uuid}", self._collect, user, "POST"),
            Route("/gw/ipfs/{cid}", self._block),
            Route("/accounts/{account}/gw/ipfs/{cid}", self._block),
        ]
        return Starlette(routes=routes)

    def _route(
        self,
        path: str,
        handler: Callable[[Request, Account], Awaitable[Response]],
        level: int,
        *methods: str,
    ) -> Route:
        async def admitted(request: Request) -> Response:
            account = self._who(request, level)
            if isinstance(account, Response):
                return account
            account.requests.append(f"{request.method} {request.url.path}")
            return await handler(request, account)

        return Route(path, admitted, methods=list(methods) or ["GET"])

    def _who(self, request: Request, level: int) -> Account | Response:
        header = request.headers.get("authorization")
        if not header:
            return refusal(401, "ERR_AUTH_MISSING", "no api key was specified")
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer":
            return refusal(401, "ERR_AUTH_MISSING_BEARER", "invalid prefix in authorization")
        for account in self.accounts:
            if token == account.expired_key:
                return refusal(401, "ERR_TOKEN_EXPIRED", "authentication token has expired")
            if token == account.upload_key and level > LEVELS["upload"]:
                return refusal(403, "ERR_NOT_AUTHORIZED", "user not authorized")
            if token in {account.user_key, account.upload_key}:
                return account
        return refusal(401, "ERR_INVALID_TOKEN", "no user exists for given api key")

    async def _viewer(self, request: Request, account: Account) -> Response:
        here = str(request.base_url)
        end_points = [f"{here}shuttle/content/add", f"{here}content/add"]
        settings = {
            "replication": 6,
            "verified": True,
            "contentAddingDisabled": account.adding_disabled,
            "uploadEndpoints": account.end_points if account.end_points is not None else end_points,
        }
        return JSONResponse({"id": 1, "username": account.name, "settings": settings})

    async def _add_car(self, request: Request, account: Account) -> Response:
        shuttle = request.url.path.startswith("/shuttle")
        if shuttle and account.shuttle_down:
            return refusal(503, "Internal Server Error", "shuttle is shutting down")
        if "content-length" not in request.headers:
            return refusal(411, "ERR_CONTENT_LENGTH_REQUIRED", "uploads need a content length")
        if account.adding_disabled:
            return refusal(400, "ERR_CONTENT_ADDING_DISABLED", "adding content is switched off")
        try:
            roots, blocks = parse_car(await request.body())
        except (ValueError, IndexError) as error:
            return refusal(500, "Internal Server Error", str(error))
        if len(roots) != 1:
            said = "cannot handle uploading car files with multiple roots"
            return JSONResponse({"error": said}, 400)
        cid = cid_text(roots[0])
        ignore = not shuttle and request.query_params.get("ignore-dupes") == "true"
        if ignore and any(held.cid == cid for held in account.contents):
            said = f"this content is already preserved under cid:{cid}"
            return JSONResponse({"message": said}, 409)
        account.blocks |= blocks
        if not account.whole(cid):
            return refusal(500, "Internal Server Error", "merkledag: not found")
        name = request.query_params.get("filename", cid)
        content = Content(next(self._ids), cid, name, account.polls, account.pinning_fails)
        content.via = "shuttle" if shuttle else "api"
        account.contents.append(content)
        answer = {
            "cid": cid if not account.wrong_root else f"{cid[:-1]}{'a' if cid[-1] != 'a' else 'e'}",
            "retrieval_url": f"https://dweb.link/ipfs/{cid}",
            "estuary_retrieval_url": f"{self.url}/gw/ipfs/{cid}",
            "estuaryId": content.id,
            "providers": [f"/ip4/{HOST}/tcp/6745/p2p/12D3KooW"],
        }
        return JSONResponse(answer)

    async def _by_cid(self, request: Request, account: Account) -> Response:
        for held in account.contents:
            held.polls -= account.polls_by_cid
        named = [held for held in account.contents if held.cid == request.path_params["cid"]]
        found = [
            {"content": described(held), "selector": "", "deals": []}
            for held in named
            if held.active
        ]
        for held in named:
            held.polls -= 1  # pinning goes on, however it is asked after
        return JSONResponse(found)

    async def _status(self, request: Request, account: Account) -> Response:
        for held in account.contents:
            if str(held.id) == request.path_params["id"]:
                answer = {"content": described(held), "deals": [], "failuresCount": 0}
                held.polls -= 1
                return JSONResponse(answer)
        return refusal(404, "ERR_CONTENT_NOT_FOUND", "content not found")

    async def _collections(self, request: Request, account: Account) -> Response:
        if request.method == "GET":
            return JSONResponse([held["row"] for held in account.collections.values()])
        asked = await request.json()
        row = {
            "createdAt": f"2023-01-01T00:00:{len(account.collections):02}Z",
            "uuid": str(uuid.uuid4()),
            "name": asked["name"],
            "description": asked["description"],
            "userId": 1,
            "cid": "",
        }
        account.collections[str(row["uuid"])] = {"row": row, "contents": set()}
        return JSONResponse(row)

    async def _collect(self, request: Request, account: Account) -> Response:
        collection = account.collections.get(request.path_params["uuid"])
        if collection is None:
            return refusal(404, "ERR_RECORD_NOT_FOUND", "collection not found")
        asked = await request.json()
        collection["contents"] |= set(asked if isinstance(asked, list) else asked["contentids"])
        return JSONResponse({})

    async def _block(self, request: Request) -> Response:
        cid = cid_of(request.path_params["cid"])
        name = request.path_params.get("account")
        for account in self.accounts:
            if name in {None, account.name} and cid in account.blocks:
                if request.query_params.get("format") != "raw":
                    return Response("<html>a folder</html>", media_type="text/html")
                return Response(account.blocks[cid], media_type="application/vnd.ipld.raw")
        return Response("ipld: could not find it", 404)


@cache
def estuary() -> Estuary:
    """Return this process's server."""
    return Estuary()


def described(held: Content) -> dict[str, Any]:
    """Show a content as the service does."""
    return {
        "id": held.id,
        "cid": held.cid,
        "name": held.name,
        "size": 1,
        "active": held.active,
        "pinning": not held.active,
        "failed": held.failed,
        "replication": 6,
        "location": "local",
    }


def refusal(status: int, reason: str, details: str) -> Response:
    """Answer in the service's shape of errors."""
    error = {"code": status, "reason": reason, "details": details}
    return JSONResponse({"error": error}, status)


def parse_car(data: bytes) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return the roots and blocks of a CARv1 file; raise for one that is cut off."""
    size, start = varint(data, 0)
    header = data[start : start + size]
    if b"\x67version\x01" not in header:
        raise ValueError("invalid car version")
    roots = re.findall(rb"\xd8\x2a\x58\x25\x00(.{36})", header, re.DOTALL)
    position = start + size
    blocks = {}
    while position < len(data):
        size, start = varint(data, position)
        position = start + size
        if position > len(data):
            raise ValueError("unexpected EOF")
        block = data[start + 36 : position]
        if hashlib.sha256(block).digest() != data[start + 4 : start + 36]:
            raise ValueError("mismatch in content integrity")
        blocks[data[start : start + 36]] = block
    return roots, blocks


def links(cid: bytes, block: bytes) -> Iterator[bytes]:
    """Yield the CIDs that a dag-pb block links to; a raw one links to nothing."""
    position = 0
    while cid[1] == 0x70 and position < len(block):
        tag = block[position]
        size, start = varint(block, position + 1)
        position = start + size
        if tag == 0x12:
            yield block[start + 2 : start + 38]


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a number and where it ends."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def cid_text(cid: bytes) -> str:
    """Spell a CID."""
    return "b" + b32encode(cid).decode().lower().rstrip("=")


def cid_of(text: str) -> bytes:
    """Read a CID's 36 bytes."""
    return b32decode(text[1:].upper() + "=" * (-len(text[1:]) % 8))
