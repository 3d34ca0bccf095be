"""Which blobs an event names: an export carries them."""

from typing import Any

import msgspec

from events.codec import PRESENT
from events.errors import EventError

SIGN = b'blob":"b'
"""Stands in the bytes of every event that names a blob, and of few others: CIDs begin with b."""


def named_blobs(body: bytes) -> list[str]:
    """Return the CIDs of the blobs that a stored event names: fields `blob` and `..._blob`.

    Fields of the program count and keys that a user chose do not; a message that is no event of
    ours names none, nor does one that only a newer version knows.
    """
    if SIGN not in body:
        return []
    try:
        _, event, more = PRESENT.read(body)
    except EventError:
        return []
    found: list[str] = []
    for part in (event, *more):
        _collect(part.data, found)
    return found


def _collect(value: Any, found: list[str]) -> None:
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            inner = getattr(value, name)
            if name == "blob" or name.endswith("_blob"):
                if inner:
                    found.append(inner)
            else:
                _collect(inner, found)
    elif isinstance(value, tuple | list):
        for item in value:
            _collect(item, found)
