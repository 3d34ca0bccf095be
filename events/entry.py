"""One message of the log, understood: where it stands, whose it is, and the event in it."""

from collections.abc import Iterator

import msgspec

from events.codec import PRESENT, ROLES, UNDECODED, WRITERS, AnyEvent, Codec, Place
from events.errors import CorruptEvent, InvalidSpec, NewerEvent, UnknownEvent
from events.log import Record
from events.requests import JobSubmitted
from events.spec import check_stored
from events.subjects import Address, Role, parse
from events.times import parse_ms


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A stored event.

    `position` belongs to this log; nothing folded may depend on it but the fence and the
    checkpoint. An event that was stored under an old name has its present one in `address`. Of a
    message whose type was split since, `event` is the first part and `more` are the others.
    """

    position: int
    address: Address
    event: AnyEvent
    record: Record
    time_ms: int
    more: tuple["Entry", ...] = ()

    def parts(self) -> Iterator["Entry"]:
        """Yield an entry for each event that the message is now: one, unless it was split."""
        yield self
        yield from self.more


def read_entry(record: Record, codec: Codec = PRESENT) -> Entry:
    """Decode a stored message and hold it against its subject.

    Raises EventError when it is corrupt, foreign, or says in its subject something else than in
    its body, and NewerEvent when all is well but this version does not know what it says.
    """
    address = parse(record.subject)
    try:
        event = codec.decode(record.body)
    except UNDECODED as error:
        return _read_old(record, address, codec, error)
    time_ms = _time_ms(event.time, record)
    _check_place(record, address, codec.places[type(event)], event.subject)
    if isinstance(event, JobSubmitted):
        _check_spec(event, record)
    return Entry(record.position, address, event, record, time_ms)


def _read_old(record: Record, address: Address, codec: Codec, error: Exception) -> Entry:
    """Read what was stored as a type that is none now: an old one, or one of a newer version."""
    try:
        kind, event, more = codec.read_old(record.body, error)
    except NewerEvent as newer:
        _time_ms(newer.time, record)
        place = Place(newer.kind, ROLES.get(newer.kind, address.role))
        _check_place(record, address, place, newer.job)
        raise
    time_ms = _time_ms(event.time, record)
    role = codec.places[type(event)].role
    _check_place(record, address, Place(kind, role), event.subject)

    def entry(event: AnyEvent, more: tuple[Entry, ...] = ()) -> Entry:
        place = codec.places[type(event)]
        if place.role != role or event.subject != address.job:
            raise CorruptEvent(f"{record.subject} is upcast to what may not stand there")
        if isinstance(event, JobSubmitted):
            _check_spec(event, record)
        now = address._replace(kind=place.kind)
        return Entry(record.position, now, event, record, time_ms, more)

    return entry(event, tuple(entry(other) for other in more))


def _check_place(record: Record, address: Address, place: Place, job: str) -> None:
    if place.kind != address.kind or job != address.job:
        raise UnknownEvent(f"the body of {record.subject} is a {place.kind} of {job}")
    if place.role != address.role:
        raise UnknownEvent(f"{address.kind} is not for role {address.role!r}")


def _time_ms(text: str, record: Record) -> int:
    try:
        return parse_ms(text)
    except (ValueError, OverflowError) as error:
        raise CorruptEvent(f"{record.subject} has no time: {error}") from None


def _check_spec(event: JobSubmitted, record: Record) -> None:
    try:
        check_stored(event.data.spec)
    except InvalidSpec as error:
        raise CorruptEvent(f"{record.subject} holds no usable spec: {error}") from None


def role_of(event: AnyEvent) -> Role:
    """Return the role that may write such an event."""
    return WRITERS[type(event)]
