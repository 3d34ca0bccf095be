"""What of the log is sent: documents whose envelope fits the subject that they are stored under.

Only the envelope is looked at. What is inside may be of a later version than this one, and is the
receiver's to understand; a type that this version does not know is delivered as well.
"""

import re

import msgspec

from events.errors import CorruptEvent, UnknownEvent
from events.log import Record
from events.subjects import parse

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Envelope(msgspec.Struct):
    id: str
    type: str
    subject: str


_decode = msgspec.json.Decoder(_Envelope).decode


def job_of(record: Record) -> str:
    """Return the job that a stored message is an event of. Raises EventError if it is none."""
    address = parse(record.subject)
    envelope = _read(record)
    name = envelope.type.removeprefix("lota.").rpartition(".")[0]
    if envelope.subject != address.job or name != address.kind:
        raise UnknownEvent(f"the body of {record.subject} is another's")
    return address.job


def id_of(record: Record) -> str:
    """Return the id of an event, which is fit for a header. Raises CorruptEvent if it is not."""
    return _read(record).id


def _read(record: Record) -> _Envelope:
    try:
        envelope = _decode(record.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptEvent(f"{record.subject}: {error}") from None
    if not _ID.fullmatch(envelope.id):
        raise CorruptEvent(f"{record.subject} has no usable id")
    return envelope
