"""The driver `nats`: results as objects in an object store bucket of the log's own server.

A network needs nothing else for it: no service, no credential. What lies where is
`publishers.objects`; the bucket is `events.jetstream.objects`, and any NATS client reads it.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

from events.errors import (
    ContentError,
    LogError,
    LogUnavailable,
    NotAdmitted,
    NotFound,
    PublishError,
)
from events.jetstream import BUCKET_NAME, NAME_MAX_BYTES, BucketFull, ObjectBucket, Refused
from publishers.objects import ObjectPublisher
from publishers.port import Workplace

DEFAULT_BUCKET = "lota-results"
_CLIENT_ERRORS = range(400, 500)


class NatsStore:
    """One bucket as the layout wants it; see `publishers.object_store.ObjectStore`."""

    max_name_bytes = NAME_MAX_BYTES

    def __init__(self, bucket: ObjectBucket) -> None:
        self.uri = f"nats://{bucket.name}"
        self._bucket = bucket

    async def check(self) -> None:
        with self._failures():
            await self._bucket.check()

    async def put(self, name: str, size_bytes: int, chunks: AsyncIterator[bytes]) -> None:
        with self._failures():
            await self._bucket.put(name, size_bytes, chunks)

    async def put_small(self, name: str, data: bytes | memoryview) -> None:
        with self._failures():
            await self._bucket.put(name, len(data), _given(bytes(data)))

    async def put_new(self, name: str, data: bytes) -> bool:
        with self._failures():
            return await self._bucket.put_new(name, data)

    async def read(self, name: str, offset: int, size_bytes: int) -> bytes:
        with self._failures():
            return b"".join([piece async for piece in self._bucket.read(name, offset, size_bytes)])

    async def size(self, name: str) -> int:
        with self._failures():
            found = await self._bucket.info(name)
        if found is None:
            raise NotFound(f"there is no object {self.uri}/{name}", hint="Was it removed?")
        return found.size_bytes

    async def close(self) -> None:
        await self._bucket.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except NotAdmitted as error:
            raise PublishError("refused", error.what, permanent=True, hint=error.hint) from error
        except LogUnavailable as error:
            what = f"{self.uri}: {error.what}"
            raise PublishError("unreachable", what, hint=error.hint) from error
        except BucketFull as error:
            raise PublishError("disk-full", f"{self.uri}: {error.what}", hint=error.hint) from error
        except ContentError as error:
            raise PublishError("tampered", error.what, hint=error.hint) from error
        except LogError as error:
            final = isinstance(error, Refused) and error.error.code in _CLIENT_ERRORS
            raise PublishError(
                "rejected", f"{self.uri}: {error.what}", permanent=final, hint=error.hint
            ) from error


async def _given(data: bytes) -> AsyncIterator[bytes]:
    yield data


class NatsPublisher(ObjectPublisher):
    """Publishes into the bucket `target`, over the node's own connection.

    The bucket is created when there is none. The credential is not used: who may write there is
    the business of the server's accounts and permissions.
    """

    name = "nats"
    paid = False

    def __init__(self, target: str, credential: Mapping[str, str], workplace: Workplace) -> None:
        bucket = target.removeprefix("nats://") or DEFAULT_BUCKET
        if not BUCKET_NAME.fullmatch(bucket):
            raise PublishError(
                "bad-target",
                f"the publisher 'nats' cannot use {target!r}",
                permanent=True,
                hint="Give the name of a bucket: letters, digits, '_' and '-'; or nothing",
            )
        if workplace.client is None:
            raise PublishError(
                "no-connection",
                "the publisher 'nats' needs a connection to a NATS server, and there is none here",
                permanent=True,
                hint="Use it from a node, or from a command that is connected to the log",
            )
        super().__init__(NatsStore(ObjectBucket(workplace.client, bucket)))
