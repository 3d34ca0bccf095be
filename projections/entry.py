"""One message of the log, understood: where it stands, whose it is, and the event in it."""

import msgspec

from events.codec import WRITERS, AnyEvent, decode, kind
from events.errors import CorruptEvent, InvalidSpec, UnknownEvent
from events.log import Record
from events.requests import JobSubmitted
from events.spec import check_stored
from events.subjects import Address, Role, parse
from events.times import parse_ms


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A stored event.

    `position` belongs to this log; nothing folded may depend on it but the fence and the
    checkpoint.
    """

    position: int
    address: Address
    event: AnyEvent
    record: Record
    time_ms: int


def read_entry(record: Record) -> Entry:
    """Decode a stored message and hold it against its subject.

    Raises EventError when it is corrupt, foreign, or says in its subject something else than in
    its body.
    """
    address = parse(record.subject)
    event = decode(record.body)
    try:
        time_ms = parse_ms(event.time)
    except (ValueError, OverflowError) as error:
        raise CorruptEvent(f"{record.subject} has no time: {error}") from None
    said = kind(event)
    if said != address.kind or event.subject != address.job:
        raise UnknownEvent(f"the body of {record.subject} is a {said} of {event.subject}")
    if role_of(event) != address.role:
        raise UnknownEvent(f"{address.kind} is not for role {address.role!r}")
    if isinstance(event, JobSubmitted):
        try:
            check_stored(event.data.spec)
        except InvalidSpec as error:
            raise CorruptEvent(f"{record.subject} holds no usable spec: {error}") from None
    return Entry(record.position, address, event, record, time_ms)


def role_of(event: AnyEvent) -> Role:
    """Return the role that may write such an event."""
    return WRITERS[type(event)]
