"""Questions to the node that holds something: what a result consists of, and the bytes of a file.

They go as core NATS requests to `lota.rpc.<node>`, since neither logs nor results belong on the
log. A request is one JSON object, an answer is one chunk with its headers, so that a client holds
half a MiB at most whatever the size of the file, and a node that for each of a few clients; a file
is streamed by asking again. All requests are reads: repeating one after a lost answer is harmless.

`list` and `read` are taken on the node's word, for commands that still run; `block` gives the
folders and long files of a finished result as content addresses name them, so that its reader can
check every byte. Either side takes the other's paths for what a stranger wrote. On the wire a path
is percent-encoded, because names are bytes; in Python it is a `str` as `os.fsdecode` makes it.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Literal, Protocol
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from events.cid import cid_bytes, cid_text
from events.errors import LogUnavailable, LotaError, NodeSilent, NotFound
from events.heeding import heeding
from events.subjects import rpc

CHUNK_BYTES_MAX = 512 * 1024
"""The server admits messages of 1 MB; an answer has to leave it room for headers."""

REQUEST_BYTES_MAX = 64 * 1024
WAITING_REQUESTS_MAX = 1_000
ANSWERS_AT_ONCE_MAX = 8
"""One slow disk or large result must not hold up all others, nor many clients fill the memory."""

FILES_MAX = 1_000_000
TIMEOUT_S = 5.0
TRIES = 3
BUSY_TRIES = 120
BUSY_PAUSE_S = 1.0

SIZE, ENDED, CODE, MESSAGE = "Lota-Size", "Lota-Ended", "Lota-Error", "Lota-Message"
NOT_FOUND, BUSY = "not_found", "busy"


class Chunk(msgspec.Struct, frozen=True):
    """Part of a file: `size_bytes` is the whole file's so far, `ended` that it grows no more."""

    data: bytes
    size_bytes: int
    ended: bool = True


class ResultSource(Protocol):
    """What a node can be asked about an execution; paths are relative to its result tree."""

    async def list(self, execution: str) -> list[tuple[str, int]]:
        """Return (path, size in bytes) of every file of a finished result, sorted by path.

        An empty folder is listed with a slash at its end and size 0. Raises NotFound.
        """
        ...

    async def read(self, execution: str, path: str, offset: int, limit: int) -> Chunk:
        """Return up to `limit` bytes from `offset` on; none when the file is shorter.

        While the command runs there are `stdout` and `stderr` only. Raises NotFound.
        """
        ...

    async def block(self, execution: str, cid: bytes) -> bytes:
        """Return the block of a folder or long file of a finished result, by its CID in 36 bytes.

        Raises NotFound, and NodeSilent while the node needs time to make its blocks.
        """
        ...


class _Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """For `list`, offset and limit count entries; for `read`, bytes; `block` needs a CID."""

    op: Literal["list", "read", "block"]
    execution: str
    path: str = ""
    cid: str = ""
    offset: int = 0
    limit: int = CHUNK_BYTES_MAX


log = logging.getLogger(__name__)

_Entries = list[tuple[str, int]]
_decode_request = msgspec.json.Decoder(_Request).decode
_decode_entries = msgspec.json.Decoder(_Entries).decode
_encode = msgspec.json.Encoder().encode


def is_safe(path: str) -> bool:
    """Whether a path stays below the folder that it is relative to (links are not looked at)."""
    parts = path.removesuffix("/").split("/")
    return "\0" not in path and not any(part in ("", ".", "..") for part in parts)


async def serve_rpc(
    client: Client, node: str, source: ResultSource
) -> Callable[[], Awaitable[None]]:
    """Answer for `node` from `source` until the returned function is called.

    A few requests are answered at a time and the rest wait, so that many clients cannot fill the
    memory.
    """
    room = asyncio.Semaphore(ANSWERS_AT_ONCE_MAX)
    answering: set[asyncio.Task[None]] = set()

    def answered(task: "asyncio.Task[None]") -> None:
        answering.discard(task)
        room.release()
        if not task.cancelled() and task.exception() is not None:
            log.error("a request to node %s failed", node, exc_info=task.exception())

    async def on_request(message: Msg) -> None:
        await room.acquire()
        task = asyncio.ensure_future(_reply(client, source, message))
        answering.add(task)
        task.add_done_callback(answered)

    subscription = await client.subscribe(
        rpc(node),
        cb=on_request,
        pending_msgs_limit=WAITING_REQUESTS_MAX,
    )

    async def stop() -> None:
        if not client.is_closed:
            await subscription.unsubscribe()
        for task in answering:
            task.cancel()
        if answering:
            await asyncio.wait(answering)

    return stop


async def _reply(client: Client, source: ResultSource, message: Msg) -> None:
    try:
        data, headers = await _answer(source, message.data)
    except NotFound as error:
        data, headers = _refusal(NOT_FOUND, error)
    except NodeSilent as error:
        data, headers = _refusal(BUSY, error)
    except LotaError as error:
        data, headers = _refusal("failed", error)
    except OSError as error:
        data, headers = _refusal("io", LotaError(error.strerror or str(error)))
    if message.reply and not client.is_closed:
        await client.publish(message.reply, data, headers=headers)


async def _answer(source: ResultSource, body: bytes) -> tuple[bytes, dict[str, str]]:
    try:
        if len(body) > REQUEST_BYTES_MAX:
            raise LotaError("the request is too long")
        request = _decode_request(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LotaError(f"the request does not decode: {error}") from None
    offset, limit = max(0, request.offset), min(max(1, request.limit), CHUNK_BYTES_MAX)
    if request.op == "list":
        entries = await source.list(request.execution)
        return _page(entries, offset), {SIZE: str(len(entries))}
    if request.op == "block":
        data = await source.block(request.execution, cid_bytes(request.cid))
        return data, {SIZE: str(len(data))}
    path = os.fsdecode(unquote_to_bytes(request.path))
    if not is_safe(path):
        raise NotFound(f"{path!r} is no path in a result", hint="name a file of the result")
    chunk = await source.read(request.execution, path, offset, limit)
    return chunk.data, {SIZE: str(chunk.size_bytes), ENDED: "1" if chunk.ended else "0"}


def _page(entries: list[tuple[str, int]], start: int) -> bytes:
    """Encode entries from `start` on, as many as fit one answer."""
    page: list[bytes] = []
    room_bytes = CHUNK_BYTES_MAX
    for path, size_bytes in entries[start:]:
        encoded = _encode((quote_from_bytes(os.fsencode(path)), size_bytes))
        room_bytes -= len(encoded) + 1
        if room_bytes < 0 and page:
            break
        page.append(encoded)
    return b"[" + b",".join(page) + b"]"


def _refusal(code: str, error: LotaError) -> tuple[bytes, dict[str, str]]:
    text = " ".join(error.what.split())[:500].encode("ascii", "backslashreplace").decode()
    return b"", {CODE: code, MESSAGE: text}


async def list_result(
    client: Client, node: str, execution: str, *, timeout_s: float = TIMEOUT_S
) -> list[tuple[str, int]]:
    """Return (path, size in bytes) of every file of a finished result that `node` holds.

    An empty folder has a slash at its end. Raises NotFound, NodeSilent, LogUnavailable, and
    LotaError for an answer that leaves the result or does not decode.
    """
    found: list[tuple[str, int]] = []
    total = 1
    while len(found) < total:
        request = _Request(op="list", execution=execution, offset=len(found))
        message = await _ask(client, node, request, timeout_s)
        total = _number(message, SIZE)
        if total > FILES_MAX:
            raise LotaError(f"{execution} has {total:,} files", hint=f"the limit is {FILES_MAX:,}")
        page = _decoded(message, node)
        if not page and len(found) < total:
            raise LotaError(f"node {node} lists fewer files of {execution} than it counts")
        for path, size_bytes in page:
            plain = os.fsdecode(unquote_to_bytes(path))
            if not is_safe(plain):
                raise LotaError(f"node {node} lists {plain!r}, which leaves the result")
            found.append((plain, size_bytes))
    return found


async def read_result(
    client: Client,
    node: str,
    execution: str,
    path: str,
    *,
    offset: int = 0,
    limit: int = CHUNK_BYTES_MAX,
    timeout_s: float = TIMEOUT_S,
) -> Chunk:
    """Return up to `limit` (at most 512 KiB) bytes of one file of an execution that `node` holds.

    Raises NotFound, NodeSilent, LogUnavailable.
    """
    request = _Request(
        op="read",
        execution=execution,
        path=quote_from_bytes(os.fsencode(path)),
        offset=offset,
        limit=limit,
    )
    message = await _ask(client, node, request, timeout_s)
    ended = (message.headers or {}).get(ENDED) == "1"
    return Chunk(message.data, _number(message, SIZE), ended)


async def read_block(
    client: Client, node: str, execution: str, cid: bytes, *, timeout_s: float = TIMEOUT_S
) -> bytes:
    """Return what `node` gives for a block of a finished result that it holds; nobody checked it.

    Raises NotFound, NodeSilent, LogUnavailable.
    """
    request = _Request(op="block", execution=execution, cid=cid_text(cid))
    for _ in range(BUSY_TRIES):
        message = await _ask(client, node, request, timeout_s)
        if (message.headers or {}).get(CODE) != BUSY:
            return message.data
        await asyncio.sleep(BUSY_PAUSE_S)
    raise NodeSilent(f"node {node} is busy with {execution}", hint="try again in a while")


async def stream_result(
    client: Client, node: str, execution: str, path: str, *, timeout_s: float = TIMEOUT_S
) -> AsyncGenerator[bytes, None]:
    """Yield one file of a finished result, chunk by chunk; raises as `read_result` does.

    A file that ends before its size is a LotaError.
    """
    offset = 0
    while True:
        chunk = await read_result(client, node, execution, path, offset=offset, timeout_s=timeout_s)
        if chunk.data:
            yield chunk.data
        offset += len(chunk.data)
        if offset >= chunk.size_bytes:
            return
        if not chunk.data:
            raise LotaError(f"node {node} sent {offset:,} of {chunk.size_bytes:,} bytes of {path}")


async def _ask(client: Client, node: str, request: _Request, timeout_s: float) -> Msg:
    """Ask until an answer comes, a few times; a lost request is as likely as a slow node."""
    for _ in range(TRIES):
        try:
            message = await heeding(client.request(rpc(node), _encode(request), timeout=timeout_s))
        except NoRespondersError:
            break
        except NatsTimeoutError:
            continue
        except (NatsError, OSError) as error:
            raise LogUnavailable(
                f"node {node} could not be asked ({str(error) or type(error).__name__})",
                hint="is the server up?",
            ) from error
        _raise_refusal(message, node)
        return message
    raise NodeSilent(
        f"node {node} does not answer", hint="is it running? See lota node ls, or try again"
    )


def _raise_refusal(message: Msg, node: str) -> None:
    headers = message.headers or {}
    code = headers.get(CODE)
    if code == NOT_FOUND:
        raise NotFound(f"node {node}: {headers.get(MESSAGE, '')}", hint="it may hold it no longer")
    if code is not None and code != BUSY:
        raise LotaError(f"node {node} failed to answer ({code}: {headers.get(MESSAGE, '')})")


def _number(message: Msg, header: str) -> int:
    text = (message.headers or {}).get(header, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _decoded(message: Msg, node: str) -> list[tuple[str, int]]:
    try:
        return _decode_entries(message.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LotaError(f"node {node} gave a list that does not decode: {error}") from None
