"""Small values under keys, each changed by compare-and-set: what a network is told to do.

It is for settings and positions that outlive processes and are no events of a job.
Implementations: `events.memory.MemoryKeyValues` and `events.jetstream.JetStreamKeyValues`. Both are
held to `tests/contracts/test_key_values.py`.
"""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

VALUE_BYTES_MAX = 64 * 1024


class Value(msgspec.Struct, frozen=True):
    """What is under a key: None when nothing is, and which change made it so (0: none ever).

    Revisions grow over all keys of a bucket.
    """

    key: str
    data: bytes | None
    revision: int


class KeyValues(Protocol):
    """One bucket. Keys are dotted names, as in subjects. All methods may raise `LogUnavailable`."""

    async def ensure(self) -> None:
        """Make the bucket unless somebody has; safe to repeat."""
        ...

    async def get(self, key: str) -> Value:
        """Return what is under a key now; never stale."""
        ...

    async def put(self, key: str, data: bytes, *, expect: int) -> int:
        """Put a value of 1 byte to `VALUE_BYTES_MAX` under a key; return its revision.

        `expect` is the key's revision as it was read. Raises `WrongExpectedPosition` when somebody
        has changed it since, and `AppendTimeout` when it is not known what became of it.
        """
        ...

    async def delete(self, key: str) -> int:
        """Leave nothing under a key, whatever is there; return the revision of that."""
        ...

    async def all(self) -> list[Value]:
        """Return what is under every key that has a value now, by key."""
        ...

    def follow(self) -> AsyncIterator[list[Value]]:
        """Yield what is under every key now, then every change; a key may come more than once.

        When changes come fast only the last of a key is sure to come.
        """
        ...

    async def close(self) -> None:
        """End what is followed; safe to repeat."""
        ...


def changed(key: str, expect: int) -> str:
    """Say that a put came too late, for the error."""
    return f"{key} has changed since revision {expect}"
