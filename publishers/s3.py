"""The driver `s3`: results as individual objects in a bucket of any service that speaks S3.

What lies where is `publishers.objects`; this is the bucket. Each request is signed over the digest
of its body, and carries a checksum for the service to check and to keep: a CRC, which costs the
service a tenth of the time of a digest, but for parts a sha256, since older services refuse parts
with a CRC that they do not know, where else they pass over it.

An object is there when its last request was answered, or not at all. What a dead process leaves are
parts that nobody sees and everybody pays for: a lifecycle rule of the bucket ends them, see
`docs/publishers/s3.md`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import obstore
from obstore.exceptions import BaseError

from events.errors import NotFound, PublishError
from publishers.objects import ObjectPublisher
from publishers.port import Workplace
from publishers.s3_access import S3Access, S3Place, open_bucket
from publishers.s3_failures import said_status, service_failure

MAX_KEY_BYTES = 1024
"""The service's limit, the prefix included."""

PART_BYTES = 8 << 20
"""An object of more goes in parts; the least that a service takes is 5 MiB."""

MAX_PARTS = 10_000
PARTS_AT_ONCE = 2
CHUNK_BYTES = 1 << 20
LARGE_AT_ONCE = 4
"""How many objects of more than one chunk are sent at once: each may hold some parts in memory."""

ABORT_S = 5.0
PRECONDITION_FAILED = 412

PROBE = "_lota.check"
PROBE_DATA = b"Lota writes this object twice to see that the second write is refused.\n"


class S3Publisher(ObjectPublisher):
    """Publishes below `target`, `s3://bucket/prefix` or `bucket/prefix`.

    The credential's fields are `access_key_id` and `secret_access_key` (without them requests are
    not signed), `session_token`, `endpoint` (none: AWS) and `region` (none: us-east-1). Nothing
    else is used: neither the environment, nor files, nor the machine's own identity.
    """

    name = "s3"
    paid = False

    def __init__(self, target: str, credential: Mapping[str, str], workplace: Workplace) -> None:
        super().__init__(S3Bucket(S3Place.named(target), S3Access.given(credential)))


class S3Bucket:
    """The `ObjectStore` of one bucket and prefix."""

    def __init__(self, place: S3Place, access: S3Access) -> None:
        self.uri = f"s3://{place.bucket}/{place.prefix}".rstrip("/")
        self.max_name_bytes = MAX_KEY_BYTES - len(place.prefix)
        self._prefix = place.prefix
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._bucket = open_bucket(place.bucket, access, "crc64nvme")
        self._bucket_of_parts = open_bucket(place.bucket, access, "sha256")

    async def check(self) -> None:
        """Create one small object twice: the second time must be refused.

        It stays, always the same one, since who may only write cannot remove it.
        """
        if await self.put_new(PROBE, PROBE_DATA) and await self.put_new(PROBE, PROBE_DATA):
            raise PublishError(
                "not-create-only",
                f"the service of {self.uri} lets a create-only write replace an object",
                permanent=True,
                hint="Use a service that honours 'If-None-Match: *' on PUT",
            )

    async def put(self, name: str, size_bytes: int, chunks: AsyncIterator[bytes]) -> None:
        async with self._large:
            if size_bytes > PART_BYTES:
                await self._put_parts(name, size_bytes, chunks)
            else:
                await self.put_small(name, b"".join([chunk async for chunk in chunks]))

    async def put_small(self, name: str, data: bytes | memoryview) -> None:
        try:
            await obstore.put_async(self._bucket, self._key(name), data, use_multipart=False)
        except (BaseError, OSError) as error:
            raise service_failure(error, self.uri) from None

    async def put_new(self, name: str, data: bytes) -> bool:
        try:
            await obstore.put_async(self._bucket, self._key(name), data, mode="create")
        except (BaseError, OSError) as error:
            # 409 is the client's "exists" too, but says only that another writer is at it.
            if said_status(error).status == PRECONDITION_FAILED:
                return False
            raise service_failure(error, self.uri) from None
        return True

    async def read(self, name: str, offset: int, size_bytes: int) -> bytes:
        try:
            found = await obstore.get_range_async(
                self._bucket, self._key(name), start=offset, length=size_bytes
            )
        except (BaseError, OSError) as error:
            raise self._missing(name, error) or service_failure(error, self.uri) from None
        return bytes(found)

    async def size(self, name: str) -> int:
        try:
            return (await obstore.head_async(self._bucket, self._key(name)))["size"]
        except (BaseError, OSError) as error:
            raise self._missing(name, error) or service_failure(error, self.uri) from None

    async def close(self) -> None:
        """Connections end with the object."""

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _missing(self, name: str, error: Exception) -> NotFound | None:
        if not said_status(error).missing_object:
            return None
        return NotFound(f"there is no object {self.uri}/{name}", hint="It was removed, or cut")

    async def _put_parts(self, name: str, size_bytes: int, chunks: AsyncIterator[bytes]) -> None:
        """Send an object in parts; whatever ends it early also ends the upload at the service.

        That is told by the iterator: a cancelled upload would leave its parts behind.
        """
        cancelled = asyncio.Event()

        async def pulled() -> AsyncIterator[bytes]:
            async for chunk in chunks:
                if cancelled.is_set():
                    raise asyncio.CancelledError
                yield chunk

        upload = asyncio.ensure_future(
            obstore.put_async(
                self._bucket_of_parts,
                self._key(name),
                pulled(),
                use_multipart=True,
                chunk_size=part_size_bytes(size_bytes),
                max_concurrency=PARTS_AT_ONCE,
            )
        )
        try:
            await asyncio.shield(upload)
        except asyncio.CancelledError:
            cancelled.set()
            await asyncio.wait([upload], timeout=ABORT_S)
            upload.cancel()
            with suppress(BaseException):
                await upload
            raise
        except (BaseError, OSError) as error:
            raise service_failure(error, self.uri) from None


def part_size_bytes(size_bytes: int) -> int:
    """Return the size of parts for an object, whole chunks each: larger where the count ends."""
    return max(PART_BYTES, -(-size_bytes // (MAX_PARTS * CHUNK_BYTES)) * CHUNK_BYTES)
