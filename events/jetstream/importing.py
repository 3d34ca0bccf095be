"""A twin from an export: the same events in the same order, with the same bytes and ids.

The file is read twice. The first time everything is checked, so that a damaged file touches no
server; the second time, checked again, it is stored. Whatever fails then, the server is left as it
was.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
from nats.aio.client import Client

from events.archive.check import Checker
from events.archive.file_log import FileLog
from events.archive.files import in_thread, lines, reading, step
from events.archive.lines import Header, Piece, Stored
from events.errors import LogError, LotaError
from events.jetstream.api import STREAM_NOT_FOUND, Refused, call
from events.jetstream.appender import CONTENT_TYPE, MESSAGE_ID
from events.jetstream.blocks import Outgoing
from events.jetstream.ingest import FastIngest, Ingest, can_ingest
from events.jetstream.object_format import stream_of
from events.jetstream.object_store import BUCKET
from events.jetstream.objects import ObjectBucket
from events.jetstream.pipelined import PipelinedIngest
from events.jetstream.twin import RECORDED, recorded_header
from events.jetstream.twin_stream import TwinStream

IDS_KEPT = 100_000
"""Among so many messages a repeated id is told from the server, which would drop the second: more
than are stored within its shortest window for repeats, and the time it takes to forget."""


class Imported(msgspec.Struct, frozen=True):
    """What an import came to; `renumbered` says that positions are not those of the first log."""

    header: Header
    events: int
    blobs: int
    renumbered: bool


async def import_file(
    client: Client,
    path: Path,
    *,
    fast: bool | None = None,
    begun: Callable[[int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Make the log of `client`'s server a twin of the export at `path`.

    `fast` chooses fast ingest (default: if the server knows it). `begun` is called with the number
    of events once the file was found whole, `progress` with how many more are stored. Raises
    ExportError for a file that is not whole, LogNotEmpty for a server that has a log,
    LogUnavailable and LogError when storing fails.
    """
    source = await FileLog.open(path)
    contents = source.contents
    await source.close()
    if begun is not None:
        begun(contents.events)
    # A log without gaps keeps its positions: the stream's first is the file's.
    gapless = contents.last - contents.first + 1 == contents.events
    first = contents.first if gapless and contents.events else 1
    use_fast = can_ingest(client) if fast is None else fast
    stream = TwinStream(client)
    blobs = _Blobs(client)
    ingest: Ingest = FastIngest(client) if use_fast else PipelinedIngest(client)
    try:
        await stream.begin(first=first, fast=use_fast)
        await blobs.begin()
        last = await _store(path, ingest, blobs, progress or _silent)
        expected = first + contents.events - 1 if contents.events else 0
        if last != expected:
            raise LogError(
                f"the last event stands at {last}, and should at {expected}",
                hint="somebody else writes to this server, or it dropped events: import again",
            )
        await stream.complete(source.header)
    except BaseException as error:
        await _undo(stream, blobs, error)
        raise
    finally:
        await ingest.close()
        await blobs.close()
    return Imported(source.header, contents.events, contents.blobs, not gapless)


class _Blobs:
    """The blobs of one import, and what there was of them before."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._bucket = ObjectBucket(client, BUCKET)
        self._found = True
        self._added: list[str] = []

    async def begin(self) -> None:
        try:
            await call(self._client, f"STREAM.INFO.{stream_of(BUCKET)}", {}, _Anything)
        except Refused as refusal:
            if refusal.error.err_code != STREAM_NOT_FOUND:
                raise
            self._found = False
        await self._bucket.ensure()

    async def put(self, cid: str, data: bytes) -> None:
        if await self._bucket.info(cid) is None:
            self._added.append(cid)
            await self._bucket.put(cid, len(data), _once(data))

    async def undo(self) -> None:
        if self._found:
            for cid in self._added:
                await self._bucket.delete(cid)
            return
        try:
            await call(self._client, f"STREAM.DELETE.{stream_of(BUCKET)}", {}, _Anything)
        except Refused as refusal:
            if refusal.error.err_code != STREAM_NOT_FOUND:
                raise

    async def close(self) -> None:
        await self._bucket.close()


class _Anything(msgspec.Struct):
    """An answer of which only matters that it is no error."""


class _Steps:
    """The file's lines as what is to be stored, a step at a time; checked once more."""

    def __init__(self, rest: Iterator[bytes]) -> None:
        self._rest = rest
        self._checker = Checker()
        self._ids: set[str] = set()
        self._order: deque[str] = deque()
        self._cid = ""
        self._pieces: list[bytes] = []

    def next(self) -> tuple[list[Outgoing], list[tuple[str, bytes]], bool]:
        """Return the next messages and whole blobs, and whether there may be more."""
        messages: list[Outgoing] = []
        blobs: list[tuple[str, bytes]] = []
        taken = step(self._rest)
        for line in taken:
            found = self._checker.take(line)
            if isinstance(found, Stored):
                messages.append(self._outgoing(found))
                continue
            if self._pieces and not (isinstance(found, Piece) and found.blob == self._cid):
                blobs.append((self._cid, b"".join(self._pieces)))
                self._pieces = []
            if isinstance(found, Piece):
                self._cid = found.blob
                self._pieces.append(found.data)
        if not taken:
            self._checker.finish()
        return messages, blobs, bool(taken)

    def _outgoing(self, stored: Stored) -> Outgoing:
        repeated = stored.id in self._ids
        headers = {
            "Content-Type": CONTENT_TYPE,
            RECORDED: recorded_header(stored, repeated=repeated),
        }
        if stored.id and not repeated:
            headers[MESSAGE_ID] = stored.id
            self._ids.add(stored.id)
            self._order.append(stored.id)
            if len(self._order) > IDS_KEPT:
                self._ids.discard(self._order.popleft())
        return Outgoing(stored.subject, stored.body, headers)


async def _store(path: Path, ingest: Ingest, blobs: _Blobs, progress: Callable[[int], None]) -> int:
    """Store all of the file and return the last position, 0 for a log without events."""
    async with in_thread(reading(path)) as file:
        steps = _Steps(lines(file))
        ahead = asyncio.ensure_future(asyncio.to_thread(steps.next))
        more = True
        try:
            while more:
                messages, whole, more = await ahead
                if more:
                    ahead = asyncio.ensure_future(asyncio.to_thread(steps.next))
                await ingest.send(messages)
                progress(len(messages))
                for cid, data in whole:
                    await blobs.put(cid, data)
        finally:
            await asyncio.gather(ahead, return_exceptions=True)
        return await ingest.finish()


async def _undo(stream: TwinStream, blobs: _Blobs, cause: BaseException) -> None:
    try:
        await stream.abandon()
        await blobs.undo()
    except LotaError as error:
        if isinstance(cause, LotaError):
            cause.hint = (
                f"what was begun could not be removed ({error.what}), and is no log that anybody "
                "can attach to: import again when the server is there"
            )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _silent(_: int) -> None:
    """Tell nobody."""
