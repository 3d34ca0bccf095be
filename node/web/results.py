"""The routes under which a node gives out what its publisher `local` has written.

`/results/<job>/<shard>/<path>` is one file, `/blocks/<job>/<shard>/<cid>` the block of a folder or
of a file of several chunks; a chunk itself is a range of its file. With both, a client reads any
part of a result and checks all of it against the CID that the log names. Nothing is listed and
nothing is written: who does not know a job's name finds nothing.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from events.cid import DAG_PB, cid_bytes, parse_cid, raw_cid
from events.errors import ContentError, LotaError, NotFound, PublishError
from events.unixfs import CHUNK_SIZE_BYTES
from node.web.any_path import ANY_PATH
from node.web.blocks import ResultBlocks
from node.web.listening import admitted
from node.web.ranges import Unsatisfiable, is_known, range_asked, with_range
from node.web.server import COME_AGAIN
from publishers.local_root import open_below
from publishers.port import require_key

READ_BYTES = 256 * 1024
NO_FILE_HINT = "Name a file of a result that this node's publisher local has written"

CROWDED = JSONResponse(
    {"error": "too many are connected", "hint": "Try again, or ask another copy"}, 503, COME_AGAIN
)

log = logging.getLogger(__name__)


def results_app(root: Path, blocks: ResultBlocks, token: str, *others: Route) -> ASGIApp:
    """Return the application for the results below `root`, and for other routes beside them."""
    routes = ResultRoutes(root, blocks)
    app = Starlette(
        routes=[
            Route(f"/results/{{rest:{ANY_PATH}}}", routes.file, methods=["GET"]),
            Route("/blocks/{rest:path}", routes.block, methods=["GET"]),
            *others,
        ],
        exception_handlers={NotFound: _not_found, LotaError: _unreadable, OSError: _unreadable},
    )
    app.router.redirect_slashes = False

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not admitted(Request(scope), token):
            await _unauthorized(token)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return guarded


class ResultRoutes:
    """Answers requests; what blocks runs in threads."""

    def __init__(self, root: Path, blocks: ResultBlocks) -> None:
        self._root = root
        self._blocks = blocks

    async def file(self, request: Request) -> Response:
        """Answer with one file, or one range of it."""
        key, path = _named(request)
        try:
            descriptor = await asyncio.to_thread(open_below, self._root, f"{key}/{path}")
        except LotaError:
            raise NotFound(f"{key} has no file {path!r} here", hint=NO_FILE_HINT) from None
        try:
            size_bytes = os.fstat(descriptor).st_size
            headers = {
                "accept-ranges": "bytes",
                "content-type": "application/octet-stream",
                "x-content-type-options": "nosniff",
            }
            if size_bytes <= CHUNK_SIZE_BYTES:
                data = await asyncio.to_thread(os.pread, descriptor, size_bytes, 0)
                return _small_file(request, data, headers)
            answer = _large_file(request, descriptor, size_bytes, headers)
            if isinstance(answer, _FileAnswer):
                descriptor = -1  # the answer's now
            return answer
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    async def block(self, request: Request) -> Response:
        """Answer with one block that links to others."""
        key, text = _named(request)
        try:
            codec, _ = parse_cid(text)
        except ContentError:
            codec = None
        if codec != DAG_PB:
            raise NotFound(
                f"{text[:80]!r} is no CID of a folder, or of a file of several chunks",
                hint="Chunks are ranges of /results/<job>/<shard>/<path>",
            )
        etag = f'"{text}"'
        headers = {
            "cache-control": "private, immutable, max-age=31536000",
            "content-type": "application/vnd.ipld.raw",
            "etag": etag,
        }
        data = await self._blocks.node(key, cid_bytes(text))
        if is_known(request, etag):
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers)


class _FileAnswer(StreamingResponse):
    """A part of a file; however the answer ends, the file is closed."""

    def __init__(
        self, descriptor: int, start: int, stop: int, status: int, headers: dict[str, str]
    ) -> None:
        self._descriptor = descriptor
        headers = {**headers, "content-length": str(stop - start)}
        super().__init__(_pieces(descriptor, start, stop), status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            os.close(self._descriptor)


async def _pieces(descriptor: int, start: int, stop: int) -> AsyncIterator[bytes]:
    while start < stop:
        size_bytes = min(READ_BYTES, stop - start)
        piece = await asyncio.to_thread(os.pread, descriptor, size_bytes, start)
        if not piece:
            return  # somebody cut the file: the client sees that bytes are missing
        yield piece
        start += len(piece)


def _small_file(request: Request, data: bytes, headers: dict[str, str]) -> Response:
    """Answer from memory; a file of one chunk has its CID for the price of hashing it."""
    etag = f'"{raw_cid(data)}"'
    headers = {**headers, "etag": etag}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    try:
        span = range_asked(request, len(data), etag)
    except Unsatisfiable:
        return _no_such_range(len(data))
    if span is None:
        return Response(data, headers=headers)
    return Response(data[slice(*span)], 206, with_range(headers, span, len(data)))


def _large_file(
    request: Request, descriptor: int, size_bytes: int, headers: dict[str, str]
) -> Response:
    try:
        span = range_asked(request, size_bytes, None)
    except Unsatisfiable:
        return _no_such_range(size_bytes)
    status = 200 if span is None else 206
    start, stop = span or (0, size_bytes)
    if span is not None:
        headers = with_range(headers, span, size_bytes)
    if request.method == "HEAD":
        return Response(None, status, {**headers, "content-length": str(stop - start)})
    return _FileAnswer(descriptor, start, stop, status, headers)


def _no_such_range(size_bytes: int) -> Response:
    return Response(status_code=416, headers={"content-range": f"bytes */{size_bytes}"})


def _named(request: Request) -> tuple[str, str]:
    """Return the upload key and the rest of the path, from the bytes that were sent.

    A name may be any bytes, so the decoded path will not do. Raises `NotFound`.
    """
    _, _, *words = request.scope["raw_path"].split(b"/")
    names = [os.fsdecode(unquote_to_bytes(word)) for word in words]
    key = "/".join(names[:2])
    try:
        require_key(key)
    except PublishError as error:
        raise NotFound(error.what, hint=error.hint) from None
    if any("/" in name for name in names):
        raise NotFound("a name in a result holds no slash", hint="Percent-encode each name alone")
    return key, "/".join(names[2:])


def _not_found(_: Request, error: Exception) -> Response:
    assert isinstance(error, NotFound)
    return JSONResponse({"error": error.what, "hint": error.hint}, 404)


def _unreadable(_: Request, error: Exception) -> Response:
    """Answer without the node's own words: they name its folders."""
    log.warning("a result could not be given out: %s", error)
    what, hint = "the result cannot be read here", "Ask another copy; the node's log says why"
    return JSONResponse({"error": what, "hint": hint}, 500)


def _unauthorized(token: str) -> Response:
    if token:
        hint = "Send the header Authorization: Bearer TOKEN"
        headers = {"www-authenticate": "Bearer"}
        return JSONResponse({"error": "a token is needed", "hint": hint}, 401, headers)
    what = "without a token only this machine is served, by its own name"
    return JSONResponse({"error": what, "hint": "Ask http://127.0.0.1"}, 403)
