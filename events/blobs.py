"""What is too large for an event: bytes kept beside the log, named by their content.

Implementations: `events.memory.MemoryBlobs` and `events.jetstream.JetStreamBlobs`. Both are held
to `tests/contracts/test_blobs.py`.
"""

from typing import Protocol

from events.cid import raw_cid
from events.errors import ContentError, NotFound


class Blobs(Protocol):
    """Immutable bytes by CID. All methods may raise `LogUnavailable`."""

    async def put(self, data: bytes) -> str:
        """Store `data` and return its CID; free when it is there already, safe to repeat."""
        ...

    async def get(self, key: str) -> bytes:
        """Return the bytes of this CID, verified.

        Raises `NotFound` when there are none, `ContentError` when what is stored was damaged.
        """
        ...


def missing(key: str) -> NotFound:
    """The error for a key that nothing is stored under."""
    return NotFound(f"there is no blob {key}", hint="was it carried along when the log was copied?")


def verified(key: str, data: bytes) -> bytes:
    """Return `data` when it is what `key` names, else raise `ContentError`."""
    if raw_cid(data) != key:
        raise ContentError(f"the bytes stored as blob {key} are not those", hint="restore a copy")
    return data
