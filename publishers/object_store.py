"""What the layout of object stores asks of a bucket: the little that S3 and NATS have in common."""

from collections.abc import AsyncIterator
from typing import Protocol

PIECE_BYTES = 4 << 20
"""The most that a store is given at once: less costs an object of many pieces more time."""


class ObjectStore(Protocol):
    """The few things that the layout asks of a bucket, below one prefix of it.

    Names are printable ASCII with slashes, without a slash at either end and without empty, `.`
    or `..` segments. Every method raises `PublishError` when the store cannot be reached, refuses
    us or is full. A store repeats a request by itself only within some seconds: the node
    repeats whole publications, with patience.
    """

    uri: str
    """Where names lie, without a slash at the end: `s3://bucket/prefix`, `nats://bucket`."""

    max_name_bytes: int
    """The longest name that the store takes below this prefix."""

    async def check(self) -> None:
        """Raise `PublishError` unless objects can be written, and create-only writes hold."""
        ...

    async def put(self, name: str, size_bytes: int, chunks: AsyncIterator[bytes]) -> None:
        """Write an object of `size_bytes`, over one of that name, durably and all at once.

        Chunks have `PIECE_BYTES` or less, and there may be none. The object must not be seen before
        the iterator has ended; if it raises, what was sent is discarded and the error goes on to
        the caller. The last check of what is sent happens in there, so it must be pulled to its
        end.
        """
        ...

    async def put_small(self, name: str, data: bytes | memoryview) -> None:
        """Write an object of `PIECE_BYTES` or less as `put` does."""
        ...

    async def put_new(self, name: str, data: bytes) -> bool:
        """Write a small object only if there is none of that name; say whether it was written.

        One writer of many at the same time is told True. A repeat after a lost answer may be told
        False although it wrote itself.
        """
        ...

    async def read(self, name: str, offset: int, size_bytes: int) -> bytes:
        """Return `size_bytes` (1 or more) from `offset` on, fewer where the object ends.

        Raises `NotFound` when there is no such object, or when it ends before `offset`.
        """
        ...

    async def size(self, name: str) -> int:
        """Return an object's size in bytes; raises `NotFound` when there is none."""
        ...

    async def close(self) -> None:
        """Release what is held; safe to repeat."""
        ...
