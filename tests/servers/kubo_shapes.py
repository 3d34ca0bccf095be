"""A server for what Kubo and HTTP can answer that a healthy node of js-ipfs never does.

js-ipfs differs from Kubo in that it hangs where Kubo reports `PinErrorMsg`, knows no tokens, sends
no `stats` and has no `dag/stat`. So failures are played here, in Kubo's words: ipfs/kubo,
`core/commands/dag/import.go`, `core/corehttp/commands.go`, go-ipfs-cmds `http/responseemitter.go`.
"""

import asyncio
import json
from typing import NamedTuple, Self

from events.cid import CID_SIZE_BYTES, cid_text

HOST = "127.0.0.1"
OTHER_ROOT = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
DENIED = (
    b"Kubo RPC Access Denied: Please provide a valid authorization token as defined in the "
    b"API.Authorizations configuration.\n"
)
_BEFORE_ROOT = b"\xd8\x2a\x58\x25\x00"


class Request(NamedTuple):
    """What arrived: the request line's path with its query, the headers in lower case, the body."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def root(self) -> str:
        """The root that the CAR in the body names."""
        start = self.body.index(_BEFORE_ROOT) + len(_BEFORE_ROOT)
        return cid_text(self.body[start : start + CID_SIZE_BYTES])


class KuboShapes:
    """Answers by the present `shape`, a name in `_shaped` or `FIXED`; `seen` holds the requests.

    While `held` is cleared, answers wait for it. With `breaks_at`, the connection is cut when that
    many bytes of a request have arrived. Without `closes`, it stays open behind an answer.
    """

    def __init__(self, shape: str = "imported") -> None:
        self.shape = shape
        self.seen: list[Request] = []
        self.held = asyncio.Event()
        self.held.set()
        self.arrived = asyncio.Event()
        self.breaks_at: int | None = None
        self.closes = True
        self._ending = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.StreamWriter, asyncio.Future[None]] = {}

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self.held.set()
        self._ending.set()
        self._server.close()
        for writer in self._serving:
            writer.transport.abort()
        await asyncio.gather(*self._serving.values())
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = self._serving[writer] = asyncio.get_running_loop().create_future()
        try:
            await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone, or this server ends
        finally:
            writer.close()
            served.set_result(None)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in fields}
        size_bytes = int(headers.get("content-length", "0"))
        if self.breaks_at is not None:
            await reader.readexactly(min(self.breaks_at, size_bytes))
            writer.transport.abort()
            return
        body = await reader.readexactly(size_bytes)
        request = Request(head[0].split(" ")[1], headers, body)
        self.seen.append(request)
        self.arrived.set()
        await self.held.wait()
        writer.write(_shaped(self.shape, request))
        await writer.drain()
        if not self.closes:
            await self._ending.wait()


def _shaped(shape: str, request: Request) -> bytes:
    """Return the answer to a request: one that depends on it, a fixed one, or `shape` itself."""
    if shape.isdecimal():
        return _answer(int(shape), b'{"code":"ERROR_SOME","message":"no, thank you"}')
    match shape:
        case "imported":
            return _lines([_root(request.root), {"Stats": {"BlockCount": 1}}])
        case "pin-error":
            return _lines([_root(request.root, "block was not found locally (offline)")])
        case "cut":
            return _answer(200, b"{", says_bytes=9999)
        case "echoes-token":
            return _answer(403, f"who is {request.headers['authorization']}?".encode())
        case _:
            return FIXED.get(shape) or shape.encode("latin-1")


def _root(cid: str, error: str = "") -> dict[str, object]:
    return {"Root": {"Cid": {"/": cid}, "PinErrorMsg": error}}


def _lines(lines: list[dict[str, object]], *, trailer: str = "") -> bytes:
    """Encode a streamed answer: chunks, one JSON document a line, and trailers."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTrailer: X-Stream-Error\r\n"
    out = f"{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
    for line in lines:
        text = json.dumps(line).encode() + b"\n"
        out += b"%x\r\n%b\r\n" % (len(text), text)
    return out + f"0\r\n{trailer}\r\n".encode()


def _answer(status: int, body: bytes, more: str = "", *, says_bytes: int | None = None) -> bytes:
    length = len(body) if says_bytes is None else says_bytes
    head = f"HTTP/1.1 {status} Some\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n"
    return head.encode() + body


FAILED = {"Message": "merkledag: not found", "Code": 0, "Type": "error"}
FIXED = {
    "fine": _answer(200, b"{}"),
    "other-root": _lines([_root(OTHER_ROOT)]),
    "no-root": _lines([{"Stats": {"BlockCount": 1}}]),
    "trailer": _lines([], trailer="X-Stream-Error: disk is full\r\n"),
    "error-in-200": _lines([FAILED]),
    "error": _answer(500, json.dumps(FAILED).encode()),
    "denied": _answer(403, DENIED),
    "garbage": _answer(200, b"<!DOCTYPE html><title>Welcome</title>"),
    "endless": _answer(200, b"x" * (3 << 20)),
    "redirect": _answer(302, b"", "Location: http://169.254.169.254/secret\r\n"),
}
"""Answers that are the same whatever is asked."""
