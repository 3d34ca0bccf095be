"""Blobs in a NATS object store, readable by any NATS client as the bucket `lota-blobs`."""

from collections.abc import AsyncIterator
from hashlib import sha256

from nats.aio.client import Client

from events.blobs import missing, verified
from events.cid import raw_cid
from events.errors import NotFound
from events.jetstream.object_format import digest_text
from events.jetstream.objects import ObjectBucket

BUCKET = "lota-blobs"


class JetStreamBlobs:
    """Blobs in one bucket over one connection; see `events.blobs.Blobs`."""

    def __init__(self, bucket: ObjectBucket) -> None:
        self._bucket = bucket

    async def put(self, data: bytes) -> str:
        key = raw_cid(data)
        while (found := await self._bucket.info(key)) is not None:
            if found.digest != digest_text(sha256(data).digest()):
                await self._bucket.delete(key)
            elif await self._bucket.touch(found):
                return key  # and nobody removes it for a day, so that it can be named meanwhile
        await self._bucket.put(key, len(data), _once(data))
        return key

    async def get(self, key: str) -> bytes:
        try:
            parts = [piece async for piece in self._bucket.read(key)]
        except NotFound as error:
            raise missing(key) from error
        return verified(key, b"".join(parts))


async def open_blobs(client: Client, *, replicas: int | None = None) -> JetStreamBlobs:
    """Attach to the bucket over `client`, and create it with `replicas` if nobody has yet.

    None are as many as the log has: what events name, and its base, must last as long as it does.

    Raises `LogUnavailable` when the server has no JetStream.
    """
    bucket = ObjectBucket(client, BUCKET, replicas=replicas)
    await bucket.ensure()
    return JetStreamBlobs(bucket)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
