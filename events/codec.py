"""Bytes to events and back, with the upcaster table.

The whole envelope is decoded as one tagged union: a single member would decode without its tag.
Old versions of a type are turned into the present one on the way in; what is stored never changes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from events.decisions import Decision
from events.errors import CorruptEvent, UnknownEvent
from events.facts import Fact
from events.requests import Request
from events.subjects import Role

AnyEvent = Request | Decision | Fact
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes an envelope of one version of a type and returns it as the next."""

EVENT_TYPES: tuple[type[AnyEvent], ...] = AnyEvent.__args__
TYPE_NAMES: Mapping[str, type[AnyEvent]] = {
    str(kind.__struct_config__.tag): kind for kind in EVENT_TYPES
}
KINDS: Mapping[type[AnyEvent], str] = {
    kind: name.removeprefix("lota.").rsplit(".", 1)[0] for name, kind in TYPE_NAMES.items()
}
WRITERS: Mapping[type[AnyEvent], Role] = {
    **dict.fromkeys(Request.__args__, "g"),
    **dict.fromkeys(Decision.__args__, "r"),
    **dict.fromkeys(Fact.__args__, "c"),
}
"""The role that may write a type, as it stands in subjects."""

UPCASTERS: dict[str, Upcaster] = {}
"""Old type name to the function that makes it the next version; no type has an old version yet."""

_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], AnyEvent] = msgspec.json.Decoder(AnyEvent).decode
_decode_plain = msgspec.json.Decoder(dict[str, Any]).decode


def encode(event: AnyEvent) -> bytes:
    """Return the stored bytes of an event."""
    return _encode(event)


def decode(body: bytes, *, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> AnyEvent:
    """Return the event in its present version.

    Raises UnknownEvent for a type that is not ours and CorruptEvent for anything that does not
    decode.
    """
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _decode_old(body, upcasters, error)


def kind(event: AnyEvent) -> str:
    """Return the event's name without version, as it stands in its subject."""
    return KINDS[type(event)]


def _decode_old(body: bytes, upcasters: Mapping[str, Upcaster], error: Exception) -> AnyEvent:
    try:
        document = _decode_plain(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CorruptEvent(f"the body is not a JSON object: {error}") from None
    name = str(document.get("type"))
    if name in TYPE_NAMES:
        raise CorruptEvent(f"{name}: {error}") from None
    try:
        for _ in range(len(upcasters)):
            if name not in upcasters:
                break
            document = upcasters[name](document)
            name = str(document.get("type"))
        if name not in TYPE_NAMES:
            raise UnknownEvent(f"type {name!r} is not one of ours")
        event: AnyEvent = msgspec.convert(document, AnyEvent)
        return event
    except (msgspec.ValidationError, LookupError, TypeError, ValueError, AttributeError) as wrong:
        raise CorruptEvent(f"{name}: {wrong!r}") from None
