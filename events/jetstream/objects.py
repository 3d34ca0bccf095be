"""An object store bucket, written and read by code of our own.

nats-py waits for each chunk before it sends the next, and its `get` copies the whole object for
each chunk. Here chunks are sent some megabytes ahead of their acknowledgements, and read by
batches. Other clients read what is written here and the other way round: see `object_format`.

An object is there when its description is, and that is appended only when every chunk is stored, in
order, and only over the description that was there before. Whoever is killed before that leaves
chunks and no object. All tries to write a name have one prefix, so the first chunk is sent with the
condition that there is none yet, which costs nothing. When that fails, an object or a try of
another writer, dead or alive, is there; the one who completes the object removes all other tries.
A living one then finds the object described and equal, and removes what it has sent meanwhile.
"""

import asyncio
import logging
import re
from base64 import b64decode
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from hashlib import sha256

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from events.errors import (
    ContentError,
    LogError,
    LogUnavailable,
    NotAdmitted,
    NotFound,
    WrongExpectedPosition,
)
from events.jetstream.api import STREAM_NOT_FOUND, Refused, last_message
from events.jetstream.appender import EXPECTED_POSITION
from events.jetstream.bucket_stream import (
    BucketConfig,
    find_or_create,
    purge,
    purge_unheard,
    tries_to_write,
)
from events.jetstream.object_chunks import ChunkReader
from events.jetstream.object_draft import BucketFull, Draft, store
from events.jetstream.object_format import (
    ROLLUP,
    ObjectInfo,
    chunk_subject,
    description_subject,
    digest_text,
    read_description,
    stream_of,
    write_deletion,
    write_description,
)
from events.jetstream.replies import Replies
from events.jetstream.window import Window

BUCKET_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
CHUNK_BYTES = 512 * 1024
"""Half of a leaf of a result. Larger ones are hardly faster, and a server takes less than 1 MiB."""

HEADERS_BYTES = 1024
"""The room for headers below the largest message of a server."""

WINDOW_BYTES = 2 * 1024 * 1024
"""What of all objects may be on its way to the server, and as much from it. More is no faster, and
the log's own messages wait behind it on a slow line."""

READERS_KEPT = 256
TRIES = 5
NEVER = str(2**53)
"""A position that no stream reaches: a condition that cannot hold."""

log = logging.getLogger(__name__)


class ObjectBucket:
    """One bucket over one connection, created when it is first written.

    `replicas` is how many a new bucket gets; None takes what the log's stream has. Apart from what
    each method names, all may raise `LogUnavailable`, `NotAdmitted` when the server does not let
    us, and `LogError` for what else it refuses.
    """

    def __init__(self, client: Client, name: str, *, replicas: int | None = None) -> None:
        if not BUCKET_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a bucket")
        self.name = name
        self._client = client
        self._replicas = replicas
        self._replies = Replies(client)
        self._writing = Window(WINDOW_BYTES)
        self._reading = Window(WINDOW_BYTES)
        self._ensuring = asyncio.Lock()
        self._config: BucketConfig | None = None
        self._readers: OrderedDict[str, ChunkReader] = OrderedDict()

    async def ensure(self) -> BucketConfig:
        """Return how the bucket is configured, once it is there."""
        async with self._ensuring:
            if self._config is None:
                self._replies.require_connection()
                self._config = await find_or_create(self._client, self.name, self._replicas)
            return self._config

    async def check(self) -> None:
        """Create the bucket if there is none, and ask whether it takes what is written.

        Two messages are sent on a condition that cannot hold, so nothing is stored.
        """
        self._config = None
        config = await self.ensure()
        if config.sealed:
            raise LogError(f"the bucket {self.name} is sealed", hint="name another as the target")
        if config.max_age:
            log.warning("results in the bucket %s are removed by its own time limit", self.name)
        never = {EXPECTED_POSITION: NEVER}
        for subject in (f"$O.{self.name}.C.check", f"$O.{self.name}.M.check"):
            with suppress(WrongExpectedPosition):
                await (await store(self._replies, subject, b"", never))

    async def info(self, name: str) -> ObjectInfo | None:
        """Return what the bucket's leader knows of an object, None when it is not there."""
        found = await self._last(name)
        return None if found is None or found.deleted else found

    async def put(self, name: str, size_bytes: int, chunks: AsyncIterator[bytes]) -> None:
        """Write the object, over one of that name, durably and all at once.

        `chunks` is pulled to its end, by one of them ahead of what is sent; what it raises goes
        on to the caller, and the object is not written. An object of the same size that is there
        is compared instead of sent again; one that differs is removed and `ContentError` raised,
        so that a repeat writes it. Raises `ContentError` too when there are not `size_bytes`,
        `BucketFull` when they do not fit.
        """
        draft, chunk_bytes = await self._draft(name)
        try:
            async with aclosing(_cut(chunks, chunk_bytes)) as pieces:
                alone = True
                async for piece in pieces:
                    if draft.chunks:
                        await draft.add(piece)
                    elif not (alone := await draft.begin(piece)):
                        found = await self.info(name)
                        if found is not None and found.size_bytes == size_bytes:
                            await self._compare(found, piece, pieces)
                            return
                        await draft.add(piece)
            await draft.stored()
            if draft.size_bytes != size_bytes:
                raise ContentError(f"{name} has {draft.size_bytes} bytes, not {size_bytes}")
        except BaseException:
            await self._give_up(draft)
            raise
        await self._describe(name, draft, chunk_bytes, over=True)
        if not alone:
            await self._sweep(name)

    async def put_new(self, name: str, data: bytes) -> bool:
        """Write a small object unless there is one of that name; say whether it was written.

        After a lost answer a repeat may be told False although the object is its own.
        """
        draft, chunk_bytes = await self._draft(name)
        alone = True
        try:
            for start in range(0, len(data), chunk_bytes):
                piece = data[start : start + chunk_bytes]
                if start or not (alone := await draft.begin(piece)):
                    if not start and await self.info(name) is not None:
                        return False
                    await draft.add(piece)
            await draft.stored()
        except BaseException:
            await self._give_up(draft)
            raise
        written = await self._describe(name, draft, chunk_bytes, over=False)
        if not alone:
            await self._sweep(name)
        return written

    async def read(
        self, name: str, offset: int = 0, size_bytes: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield an object, or what of it lies in a range, in pieces of a chunk or less.

        The digest is not checked: a range has none, and what is read here is named by its CID.
        Raises `NotFound` when there is no such object or it ends before `offset`, `ContentError`
        when its bytes are not there.
        """
        reader = self._readers.get(name) or await self._look_up(name)
        if offset > 0 and offset >= reader.info.size_bytes:
            raise NotFound(f"{name} has {reader.info.size_bytes} bytes, and none at {offset}")
        end = None if size_bytes is None else offset + size_bytes
        given = False
        while True:
            wanted = (reader.info.size_bytes if end is None else end) - offset
            try:
                async with aclosing(reader.read(offset, wanted)) as pieces:
                    async for piece in pieces:
                        offset += len(piece)
                        given = True
                        yield piece
                return
            except ContentError:
                # Perhaps written anew meanwhile; go on there unless other bytes would follow.
                before, reader = reader.info, await self._look_up(name)
                changed = reader.info.digest != before.digest
                if reader.info.nuid == before.nuid or (given and changed):
                    raise

    async def touch(self, found: ObjectInfo) -> bool:
        """Store the description of an object once more, so that it is as young as a new one.

        False when it is not that any more: somebody wrote it anew, or removed it.
        """
        subject = description_subject(self.name, found.name)
        stored = await last_message(self._client, stream_of(self.name), subject)
        if stored is None or stored.seq != found.position:
            return False
        headers = {EXPECTED_POSITION: str(stored.seq), **_rollup(await self.ensure())}
        try:
            await (await store(self._replies, subject, b64decode(stored.data), headers))
        except WrongExpectedPosition:
            return False
        return True

    async def delete(self, name: str, found: ObjectInfo | None = None) -> None:
        """Remove an object, if it is `found` still when that is given; nothing else happens."""
        found = found or await self.info(name)
        if found is None:
            return
        config = await self.ensure()
        headers = {EXPECTED_POSITION: str(found.position), **_rollup(config)}
        subject = description_subject(self.name, name)
        with suppress(WrongExpectedPosition):  # another writer or remover was there first
            await (await store(self._replies, subject, write_deletion(self.name, found), headers))
            self._readers.pop(name, None)
            await self._remove(chunk_subject(self.name, found.nuid))

    async def close(self) -> None:
        """Stop listening; safe to repeat."""
        await self._replies.close()

    async def _draft(self, name: str) -> tuple[Draft, int]:
        config = await self.ensure()
        largest = self._client.max_payload
        if config.max_msg_size > 0:
            largest = min(largest, config.max_msg_size)
        draft = Draft(self._replies, self.name, name, self._writing)
        return draft, max(1, min(CHUNK_BYTES, largest - HEADERS_BYTES))

    async def _compare(self, found: ObjectInfo, first: bytes, rest: AsyncIterator[bytes]) -> None:
        """Pull what would be sent to its end, and remove the object if it holds something else."""
        digest = sha256(first)
        async for piece in rest:
            await asyncio.to_thread(digest.update, piece)
        if digest_text(digest.digest()) != found.digest:
            await self.delete(found.name)
            raise ContentError(
                f"the bucket {self.name} held other bytes as {found.name}; they were removed",
                hint="Repeat it",
            )
        await self._sweep(found.name)

    async def _describe(self, name: str, draft: Draft, chunk_bytes: int, *, over: bool) -> bool:
        """Make the object be there, and say whether it is the one of this draft.

        Without `over`, another object stays. With it, one of other bytes is replaced. While no
        answer tells whether the description was stored the chunks stay: it may lead to them.
        """
        config = await self.ensure()
        digest = digest_text(draft.digest)
        body = write_description(
            self.name,
            name,
            nuid=draft.nuid,
            size_bytes=draft.size_bytes,
            chunks=draft.chunks,
            chunk_bytes=chunk_bytes,
            digest=digest,
        )
        subject = description_subject(self.name, name)
        found: ObjectInfo | None = None
        for _ in range(TRIES):
            expected = found.position if found is not None else 0
            headers = {EXPECTED_POSITION: str(expected), **_rollup(config)}
            try:
                await (await store(self._replies, subject, body, headers))
            except WrongExpectedPosition:
                found = await self._last(name)
            except (BucketFull, NotAdmitted, Refused):
                await self._give_up(draft)
                raise
            else:
                self._readers.pop(name, None)
                if found is not None and not found.deleted:
                    await self._remove(chunk_subject(self.name, found.nuid))
                return True
            equal = found is not None and (found.size_bytes, found.digest) == (
                draft.size_bytes,
                digest,
            )
            if found is not None and not found.deleted and (equal or not over):
                await self._give_up(draft)
                return False
        await self._give_up(draft)
        raise LogUnavailable(f"others write {name} again and again", hint="repeat it later")

    async def _give_up(self, draft: Draft) -> None:
        """Remove the chunks of a draft, now or when the connection is back."""
        self._config = None  # perhaps it changed
        if not draft.begun:
            return
        await draft.settle()
        if self._client.is_connected:
            await self._remove(draft.subject)
        else:
            with suppress(NatsError, OSError):
                await purge_unheard(self._client, self.name, draft.subject)

    async def _sweep(self, name: str) -> None:
        """Remove all tries to write an object but the one that it is."""
        try:
            found = await self.info(name)
            tries = await tries_to_write(self._client, self.name, name)
        except LogError as error:
            log.info("leftovers of %s may stay in %s: %s", name, self.name, error.what)
            return
        for subject in tries:
            if found is not None and subject != chunk_subject(self.name, found.nuid):
                await self._remove(subject)

    async def _remove(self, subject: str) -> None:
        """Remove chunks that no description leads to; should that fail, they take room."""
        try:
            await purge(self._client, self.name, subject)
        except LogError as error:
            log.info("the chunks %s stay: %s", subject, error.what)

    async def _last(self, name: str) -> ObjectInfo | None:
        """Return the last description of an object, also one that says it was deleted."""
        stream, subject = stream_of(self.name), description_subject(self.name, name)
        self._replies.require_connection()
        try:
            stored = await last_message(self._client, stream, subject)
        except Refused as refusal:
            if refusal.error.err_code != STREAM_NOT_FOUND:
                raise
            return None
        if stored is None:
            return None
        try:
            return read_description(b64decode(stored.data), stored.seq)
        except msgspec.DecodeError as error:
            raise ContentError(
                f"the description of {name} in the bucket {self.name} cannot be read"
            ) from error

    async def _look_up(self, name: str) -> ChunkReader:
        found = await self.info(name)
        if found is None:
            self._readers.pop(name, None)
            raise NotFound(f"there is no object {name} in the bucket {self.name}")
        reader = ChunkReader(self._client, self._replies, self._reading, self.name, found)
        self._readers[name] = reader
        while len(self._readers) > READERS_KEPT:
            self._readers.popitem(last=False)
        return reader


def _rollup(config: BucketConfig) -> dict[str, str]:
    """Where rollups are forbidden the last description counts all the same."""
    return ROLLUP if config.allow_rollup_hdrs else {}


async def _cut(chunks: AsyncIterator[bytes], size_bytes: int) -> AsyncGenerator[bytes, None]:
    """Yield the same bytes in pieces of exactly `size_bytes`, but for the last."""
    rest = bytearray()
    async for chunk in chunks:
        start = 0
        if rest:
            start = min(len(chunk), size_bytes - len(rest))
            rest += chunk[:start]
            if len(rest) < size_bytes:
                continue
            yield bytes(rest)
            rest.clear()
        while len(chunk) - start >= size_bytes:
            yield chunk[start : start + size_bytes]
            start += size_bytes
        rest += chunk[start:]
    if rest:
        yield bytes(rest)
