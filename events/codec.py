"""Bytes to events and back, with the upcaster table.

The whole envelope is decoded as one tagged union: a single member would decode without its tag.
Old versions of a type are turned into the present one on the way in; what is stored never changes.
`docs/evolution.md` says how a type is changed.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, reduce
from operator import or_
from typing import Any, NamedTuple

import msgspec

from events.decisions import Decision
from events.errors import CorruptEvent, EventError, NewerEvent, UnknownEvent
from events.facts import Fact
from events.requests import Request
from events.subjects import Role

AnyEvent = Request | Decision | Fact
Document = dict[str, Any]
"""A CloudEvents document as plain objects."""

EVENT_TYPES: tuple[type[AnyEvent], ...] = AnyEvent.__args__
TYPE_NAMES: Mapping[str, type[AnyEvent]] = {
    str(kind.__struct_config__.tag): kind for kind in EVENT_TYPES
}
TYPE_NAME = re.compile(r"lota\.([a-z]{1,40}\.[a-z]{1,40})\.v([1-9][0-9]{0,3})")
"""The name of a type of ours: its kind, as it stands in subjects, and its version."""

_WORDS = ("id", "source", "subject", "time")


def kind_of(name: str) -> str:
    """Return the kind that a type's name has in subjects: the name without `lota` and version."""
    return name.removeprefix("lota.").rsplit(".", 1)[0]


KINDS: Mapping[type[AnyEvent], str] = {kind: kind_of(name) for name, kind in TYPE_NAMES.items()}
WRITERS: Mapping[type[AnyEvent], Role] = {
    **dict.fromkeys(Request.__args__, "g"),
    **dict.fromkeys(Decision.__args__, "r"),
    **dict.fromkeys(Fact.__args__, "c"),
}
"""The role that may write a type, as it stands in subjects."""
ROLES: Mapping[str, Role] = {KINDS[kind]: role for kind, role in WRITERS.items()}


class Upcaster(NamedTuple):
    """Makes an envelope of an old type into envelopes of the types `into`, nearer to the present.

    One is a new version or a new name, several are a split: parts of one stored message, with its
    id, which are folded in their order.
    """

    into: tuple[str, ...]
    turn: Callable[[Document], Iterable[Document]]


UPCASTERS: Mapping[str, Upcaster] = {}
"""Old type name to what it became; no type has an old version yet."""


UNDECODED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON raises for bytes that are not what was expected."""


class Place(NamedTuple):
    """Where events of a type stand: their kind in the subject, and the role that writes them."""

    kind: str
    role: Role


class Stored(NamedTuple):
    """What one stored body says: its kind when it was written, and the events it is now.

    `more` holds the other parts of what was split.
    """

    kind: str
    event: AnyEvent
    more: tuple[AnyEvent, ...] = ()


class Codec:
    """Reads bodies of the present types, and of the old ones that upcasters lead from.

    `decode` reads a body of a present type alone, raising `UNDECODED`, and `places` says where such
    events stand: their kind and role. Raises ValueError for an upcaster that does not lead to
    present types.
    """

    def __init__(
        self,
        types: Iterable[type[AnyEvent]] = EVENT_TYPES,
        upcasters: Mapping[str, Upcaster] = UPCASTERS,
    ) -> None:
        types = tuple(types)
        self._union: Any = reduce(or_, types)
        self.decode: Callable[[bytes], AnyEvent] = msgspec.json.Decoder(self._union).decode
        self._names = {str(kind.__struct_config__.tag): kind for kind in types}
        kinds = {kind: kind_of(name) for name, kind in self._names.items()}
        self.places = {kind: Place(name, ROLES[name]) for kind, name in kinds.items()}
        self._versions = {kind_of(name): _version(name) for name in self._names}
        self._upcasters = upcasters
        self._leads = {name: frozenset(self._lead(name, ())) for name in upcasters}

    def read(self, body: bytes) -> Stored:
        """Return what a stored body says.

        Raises CorruptEvent for what does not decode, NewerEvent for a type that only a newer
        version of Lota can have written, and UnknownEvent for a type that is not ours.
        """
        try:
            event = self.decode(body)
        except UNDECODED as error:
            return self.read_old(body, error)
        return Stored(self.places[type(event)].kind, event)

    def stored_as(self, kind: str) -> tuple[str, ...]:
        """Return the kinds under which events of a kind are stored: itself, and its old names.

        So a filter on subjects finds all of them. An old name stands for itself alone.
        """
        old = {kind_of(name) for name, leads in self._leads.items() if kind in leads}
        return (kind, *sorted(old - {kind}))

    @property
    def names(self) -> frozenset[str]:
        """All type names that can be read: the present ones and the old ones."""
        return frozenset((*self._names, *self._upcasters))

    @property
    def kinds(self) -> frozenset[str]:
        """All kinds that subjects may have: the present ones and the old ones."""
        return frozenset((*map(kind_of, self._names), *map(kind_of, self._upcasters)))

    @cached_property
    def shape(self) -> str:
        """A digest of all that can be read: equal for codecs that pass over the same."""
        schema = msgspec.json.schema(self._union)
        said = msgspec.json.encode([sorted(self.names), schema], order="sorted")
        return hashlib.sha256(said).hexdigest()

    def _lead(self, name: str, way: tuple[str, ...]) -> Iterator[str]:
        """Yield the present kinds that an old type leads to."""
        if name in way:
            raise ValueError(f"upcasters lead from {name} back to it")
        if name in self._names:
            if way:
                yield kind_of(name)
                return
            raise ValueError(f"{name} is a present type and has an upcaster")
        upcaster = self._upcasters.get(name)
        if upcaster is None or not upcaster.into:
            raise ValueError(f"{' to '.join((*way, name))} leads to no present type")
        for nearer in upcaster.into:
            yield from self._lead(nearer, (*way, name))

    def read_old(self, body: bytes, error: Exception) -> Stored:
        """Return what a body says of which `decode` raised `error`; raises as `read` does."""
        try:
            document = _decode_plain(body)
        except UNDECODED:
            raise CorruptEvent(f"the body is not a JSON object: {error}") from None
        name = str(document.get("type"))
        if name in self._names:
            raise self._misfit(name, document, error) from None
        if name not in self._upcasters:
            raise self._unknown(name, document)
        try:
            first, *more = (msgspec.convert(part, self._union) for part in self._upcast(document))
        except (msgspec.ValidationError, LookupError, TypeError, ValueError, AttributeError) as bad:
            raise CorruptEvent(f"{name}: {bad!r}") from None
        return Stored(kind_of(name), first, tuple(more))

    def _upcast(self, document: Document) -> Iterator[Document]:
        upcaster = self._upcasters.get(document["type"])
        if upcaster is None:
            yield document
            return
        for part in upcaster.turn(document):
            if part["type"] not in upcaster.into:
                raise ValueError(f"{part['type']} is none of {upcaster.into}")
            yield from self._upcast(part)

    def _misfit(self, name: str, document: Document, error: Exception) -> EventError:
        """Return the error for a body of a present type that does not decode.

        Unknown fields are passed over but in a spec: what this version cannot give to a job that
        asks for it, it must not pass over.
        """
        unknown = str(error).startswith("Object contains unknown field")
        if unknown and _whole(document):
            return _newer(name, document, str(error).removeprefix("Object contains "))
        return CorruptEvent(f"{name}: {error}")

    def _unknown(self, name: str, document: Document) -> EventError:
        """Return the error for a type that is not known: newer than this version, or not ours.

        Newer is a whole document of ours whose type has our form, and no version that we had.
        """
        formed = TYPE_NAME.fullmatch(name)
        if formed and _whole(document) and int(formed[2]) > self._versions.get(formed[1], 0):
            return _newer(name, document)
        return UnknownEvent(f"type {name!r} is not one of ours")


def _version(name: str) -> int:
    return int(name.rsplit(".v", 1)[1])


def _whole(document: Document) -> bool:
    """Whether a document has the envelope that all versions of Lota share."""
    return (
        document.get("specversion") == "1.0"
        and isinstance(document.get("data"), dict)
        and all(isinstance(document.get(word), str) for word in _WORDS)
    )


def _newer(name: str, document: Document, what: str = "") -> NewerEvent:
    own_id, _, job, time = (document[word] for word in _WORDS)
    return NewerEvent(name, what, kind=kind_of(name), id=own_id, job=job, time=time)


_encode = msgspec.json.Encoder().encode
_decode_plain = msgspec.json.Decoder(Document).decode

PRESENT = Codec()
"""The codec of this version of Lota."""


def encode(event: AnyEvent) -> bytes:
    """Return the stored bytes of an event."""
    return _encode(event)


def decode(body: bytes) -> AnyEvent:
    """Return the event of a body in its present version, the first if it was split.

    Raises as `Codec.read` does.
    """
    return PRESENT.read(body).event


def kind(event: AnyEvent) -> str:
    """Return the event's name without version, as it stands in its subject."""
    return KINDS[type(event)]
