"""Blobs in a NATS object store, readable by any NATS client as the bucket `lota-blobs`.

nats-py writes them. It does not read them: its `get` copies the whole object for each chunk, so
the chunks come through the log's own reader.
"""

from base64 import b64decode, urlsafe_b64encode
from contextlib import aclosing

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from nats.js.object_store import ObjectStore

from events.blobs import missing, verified
from events.cid import raw_cid
from events.errors import ContentError, LogUnavailable
from events.jetstream.api import last_message
from events.jetstream.reader import Reader

BUCKET = "lota-blobs"
STREAM = f"OBJ_{BUCKET}"
TRIES = 3
"""A second writer of the same blob may replace the chunks while they are read."""


class _Entry(msgspec.Struct):
    """An object as the bucket describes it; `nuid` leads to the chunks."""

    nuid: str = ""
    size: int = 0
    deleted: bool = False


class JetStreamBlobs:
    """Blobs in one bucket over one connection; see `events.blobs.Blobs`."""

    def __init__(self, client: Client, bucket: ObjectStore) -> None:
        self._client = client
        self._bucket = bucket
        self._reader = Reader(client, STREAM)

    async def put(self, data: bytes) -> str:
        key = raw_cid(data)
        found = await self._find(key)
        if found is None or found.size != len(data):
            try:
                await self._bucket.put(key, data)
            except (NatsError, OSError) as error:
                raise _unavailable(error) from error
        return key

    async def get(self, key: str) -> bytes:
        for _ in range(TRIES - 1):
            try:
                return await self._get(key)
            except ContentError:
                continue
        return await self._get(key)

    async def _get(self, key: str) -> bytes:
        found = await self._find(key)
        if found is None:
            raise missing(key)
        chunks = f"$O.{BUCKET}.C.{found.nuid}"
        parts: list[bytes] = []
        async with aclosing(self._reader.read([chunks], 0)) as batches:
            async for batch in batches:
                parts += (record.body for record in batch)
        return verified(key, b"".join(parts))

    async def _find(self, key: str) -> _Entry | None:
        name = urlsafe_b64encode(key.encode()).decode()
        stored = await last_message(self._client, STREAM, f"$O.{BUCKET}.M.{name}")
        if stored is None:
            return None
        entry = msgspec.json.decode(b64decode(stored.data), type=_Entry)
        return None if entry.deleted else entry


async def open_blobs(client: Client, *, replicas: int = 1) -> JetStreamBlobs:
    """Attach to the bucket over `client`, and create it with `replicas` if nobody has yet.

    Raises `LogUnavailable` when the server has no JetStream.
    """
    context = client.jetstream()
    try:
        try:
            bucket = await context.object_store(BUCKET)
        except NotFoundError:
            bucket = await context.create_object_store(BUCKET, replicas=replicas)
    except (NatsError, OSError) as error:
        raise _unavailable(error) from error
    return JetStreamBlobs(client, bucket)


def _unavailable(error: Exception) -> LogUnavailable:
    reason = str(error) or type(error).__name__
    return LogUnavailable(f"the blob store did not answer ({reason})", hint="is JetStream enabled?")
