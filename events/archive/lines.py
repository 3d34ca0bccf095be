"""The lines of an export, both ways: pure, one line at a time."""

from base64 import b64encode
from typing import Annotated, Literal

import msgspec

from events.errors import DamagedExport, NewerExport, NotAnExport
from events.log import Record
from events.times import parse_ms

VERSION = 1
PIECE_BYTES = 192 * 1024
"""What of a blob stands in one line; a multiple of three, so that base64 has no padding inside."""


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for: one job, or what lies between two times or positions; empty is all."""

    job: str | None = None
    since: int | str | None = None
    until: int | str | None = None


class BaseRef(msgspec.Struct, frozen=True):
    """Where a log's base is: the blob of its state (`events.log.Base`), as far as `position`."""

    position: int
    blob: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. From `first` to `last` (inclusive) the log was looked through.

    `created` is RFC 3339; nothing else in an export depends on when it is made. `base` is there
    when what was before `first` had been archived.
    """

    lota: Literal["export"] = "export"
    version: int = VERSION
    stream: str
    created: str
    filter: Selection = Selection()
    first: int = msgspec.field(name="from")
    last: int = msgspec.field(name="to")
    base: BaseRef | msgspec.UnsetType = msgspec.UNSET


class Stored(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message as it was stored: `time` is the server's, in RFC 3339; `id` its Nats-Msg-Id."""

    position: int
    subject: str
    time: str
    id: str
    body: bytes

    @property
    def record(self) -> Record:
        """The message as a log gives it."""
        return Record(self.position, self.subject, self.body, _time_ms(self.time))


class Piece(msgspec.Struct, frozen=True, gc=False):
    """The next part of a blob."""

    blob: str
    data: bytes


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The last line; `sha256` is of all lines before, in hex."""

    end: Literal[True] = True
    events: int
    blobs: int
    sha256: str


Line = Header | Stored | Piece | End


Subject = Annotated[str, msgspec.Meta(pattern=r"\A[^\s\x00]+\Z")]
Time = Annotated[str, msgspec.Meta(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")]
MessageId = Annotated[str, msgspec.Meta(pattern=r"\A[^\r\n\x00]*\Z")]
"""What goes to a server again as a subject or a header must not be able to end it."""


class _Message(msgspec.Struct, gc=False):
    position: int
    subject: Subject
    time: Time
    id: MessageId | None = None
    event: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    body: bytes | msgspec.UnsetType = msgspec.UNSET


class _Identified(msgspec.Struct, gc=False):
    id: MessageId


class _Wrapped(msgspec.Struct, gc=False):
    """A body as deep as it will stand in its line: nesting has a limit."""

    event: _Identified


class _Started(msgspec.Struct):
    lota: str
    version: int


_json = msgspec.json.Encoder().encode
_message = msgspec.json.Decoder(_Message).decode
_identified = msgspec.json.Decoder(_Identified).decode
_wrapped = msgspec.json.Decoder(_Wrapped).decode
_piece = msgspec.json.Decoder(Piece).decode
_end = msgspec.json.Decoder(End).decode

WRONG = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
BEGIN = "name a file that `lota events export` wrote"
CUT = "its end is missing: fetch or export it again"
RESTORE = "the file was changed or damaged: fetch or export it again"


def encode_header(header: Header) -> bytes:
    """Return the first line."""
    return _json(header) + b"\n"


def encode_message(stored: Stored) -> bytes:
    """Return the line of one message; its body stands there as it is, if it can."""
    body = stored.body
    own_id = _event_id(body)
    head = b'{"position":%d,"subject":%b,"time":%b,' % (
        stored.position,
        _json(stored.subject),
        _json(stored.time),
    )
    if own_id is None:
        return b'%b"id":%b,"body":"%b"}\n' % (head, _json(stored.id), b64encode(body))
    if own_id != stored.id:
        head += b'"id":%b,' % _json(stored.id)
    return b'%b"event":%b}\n' % (head, body)


def encode_blob(cid: str, data: bytes) -> list[bytes]:
    """Return the lines of one blob; the caller vouches for the CID."""
    starts = range(0, max(len(data), 1), PIECE_BYTES)
    return [
        b'{"blob":"%b","data":"%b"}\n' % (cid.encode(), b64encode(data[at : at + PIECE_BYTES]))
        for at in starts
    ]


def encode_end(end: End) -> bytes:
    """Return the last line."""
    return _json(end) + b"\n"


def decode_header(line: bytes) -> Header:
    """Return what the first line says.

    Raises NotAnExport when it is something else, NewerExport when only a newer version reads it.
    """
    try:
        started = msgspec.json.decode(line, type=_Started)
        if started.lota != "export":
            raise NotAnExport("line 1 is not the beginning of an export", hint=BEGIN)
        if started.version > VERSION:
            raise NewerExport(
                f"line 1: this is an export of version {started.version}, and {VERSION} is known",
                hint="read it with the version of lota that wrote it, or a newer one",
            )
        return msgspec.json.decode(line, type=Header)
    except WRONG as error:
        raise NotAnExport(
            f"line 1 is not the beginning of an export ({error})", hint=BEGIN
        ) from None


def decode_line(line: bytes, number: int) -> Stored | Piece | End:
    """Return what a line behind the first says. Raises DamagedExport with its number."""
    try:
        if line.startswith(b'{"position":'):
            return decode_message(line)
        if line.startswith(b'{"blob":'):
            return _piece(line)
        if line.startswith(b'{"end":'):
            return _end(line)
        raise DamagedExport(f"line {number} is no event, no blob and no end", hint=RESTORE)
    except WRONG as error:
        raise DamagedExport(f"line {number} does not decode: {error}", hint=RESTORE) from None


def decode_message(line: bytes) -> Stored:
    """Return one message. Raises msgspec.DecodeError, as decoding a struct does."""
    found = _message(line)
    if found.event is not msgspec.UNSET:
        body = bytes(found.event)
        message_id = _identified(body).id if found.id is None else found.id
    elif found.body is not msgspec.UNSET and found.id is not None:
        body, message_id = found.body, found.id
    else:
        raise msgspec.DecodeError("a message has an event, or an id and a body")
    return Stored(
        position=found.position, subject=found.subject, time=found.time, id=message_id, body=body
    )


def decode_record(line: bytes) -> Record:
    """Return one message of an export that was checked, as a log gives it: the hot loop."""
    found = _message(line)
    body = b"" if found.body is msgspec.UNSET else found.body
    if found.event is not msgspec.UNSET:
        body = bytes(found.event)
    return Record(found.position, found.subject, body, _time_ms(found.time))


def _time_ms(text: str) -> int:
    """Return when a message was stored, 0 when there is no such day."""
    try:
        return parse_ms(text)
    except (ValueError, OverflowError):
        return 0


def _event_id(body: bytes) -> str | None:
    """Return the id in a body that can stand in a line as it is, and come back the same."""
    if body[:1] != b"{" or body[-1:] != b"}" or b"\n" in body or b"\r" in body:
        return None
    try:
        if not body.isascii():
            body.decode()
        return _wrapped(b'{"event":%b}' % body).event.id
    except WRONG:
        return None
