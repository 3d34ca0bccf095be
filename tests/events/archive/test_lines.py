"""The lines of an export."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.archive.lines import (
    Header,
    Piece,
    Selection,
    Stored,
    decode_header,
    decode_line,
    decode_record,
    encode_blob,
    encode_header,
    encode_message,
)
from events.cid import raw_cid
from events.errors import DamagedExport, NewerExport, NotAnExport
from tests.events.archive.logs import CREATED, stored


def message(body: bytes, id: str = "x") -> Stored:
    """Return a message with that body."""
    time = "2026-11-23T08:00:00.000000001Z"
    return Stored(position=7, subject="lota.ev.00.a.g.cli.a.b", time=time, id=id, body=body)


def test_an_event_stands_in_its_line_as_it_is() -> None:
    """The stored bytes are in the line unchanged, spaces and all, and nothing is said twice."""
    line = encode_message(message(b'{"id": "x", "data" : {}}'))
    assert line == (
        b'{"position":7,"subject":"lota.ev.00.a.g.cli.a.b",'
        b'"time":"2026-11-23T08:00:00.000000001Z","event":{"id": "x", "data" : {}}}\n'
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"x"}',
        b'{"id":"y"}',
        b'{"id":7}',
        b'{"id":"x","a":"\xff"}',
        b'{"id":"x"} ',
        b' {"id":"x"}',
        b'{"id":\n"x"}',
        b'{"id":"a\\nb"}',
        b'{"id":"x"}{"id":"x"}',
        b'{"id":"x",}',
        b"[1]",
        b"",
        b"\x00",
        '{"id":"x","a":"ü\u2028"}'.encode(),
        b'{"id":"x","a":' + b"[" * 2000 + b"]" * 2000 + b"}",
    ],
)
def test_every_body_comes_back_the_same(body: bytes) -> None:
    """Whatever was stored, and under whatever id, one line holds it."""
    line = encode_message(message(body))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_line(line, 2) == message(body)
    assert decode_record(line) == message(body).record


@given(st.binary(), st.text(st.characters(exclude_characters="\r\n\x00", codec="utf-8")))
def test_any_bytes_come_back_the_same(body: bytes, id: str) -> None:
    """Bytes and ids that nobody thought of are no exception."""
    assert decode_line(encode_message(message(body, id)), 2) == message(body, id)


@given(st.dictionaries(st.text(), st.text()))
def test_any_document_comes_back_the_same(document: dict[str, str]) -> None:
    """JSON documents come back byte for byte, with whatever they hold."""
    body = msgspec.json.encode(document | {"id": "x"})
    assert decode_line(encode_message(message(body)), 2) == message(body)


def test_the_header_says_what_was_exported() -> None:
    """Filter, range and stream come back, and what was not asked for does not stand there."""
    header = Header(stream="LOTA", created=CREATED, filter=Selection(job="a"), first=3, last=9)
    line = encode_header(header)
    assert b'"filter":{"job":"a"},"from":3,"to":9' in line
    assert decode_header(line) == header


@pytest.mark.parametrize("line", [b"", b"\x89PNG", b"{}", b'{"lota":"spec","version":1}', b"[]"])
def test_something_else_is_no_export(line: bytes) -> None:
    """A first line of another kind is told from a damaged export."""
    with pytest.raises(NotAnExport, match="line 1"):
        decode_header(line)


def test_a_newer_version_is_named() -> None:
    """An export of a version that is not known yet says so, whatever else its header holds."""
    with pytest.raises(NewerExport, match="version 2"):
        decode_header(b'{"lota":"export","version":2,"streams":["A","B"]}')


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b'{"position":1}',
        b'{"position":1,"subject":"a b","time":"2026-11-23T08:00:00Z","event":{"id":"x"}}',
        b'{"position":1,"subject":"a\\r\\nPUB","time":"2026-11-23T08:00:00Z","id":"","body":""}',
        b'{"position":1,"subject":"a","time":"soon","event":{"id":"x"}}',
        b'{"position":1,"subject":"a","time":"2026-11-23T08:00:00Z","event":{"id":"a\\r\\nb"}}',
        b'{"position":1,"subject":"a","time":"2026-11-23T08:00:00Z","id":"","body":"?"}',
    ],
)
def test_a_wrong_line_is_named(line: bytes) -> None:
    """A line that is none of an export is refused with its number, as is one that would inject."""
    with pytest.raises(DamagedExport, match="line 12 "):
        decode_line(line, 12)


def test_a_blob_is_cut_into_pieces() -> None:
    """No line of a blob is longer than 256 KiB and its frame, and the pieces are the blob."""
    data = bytes(range(256)) * 4096
    lines = encode_blob(raw_cid(data), data)
    pieces = [decode_line(line, 2) for line in lines]
    assert max(map(len, lines)) < 256 * 1024 + 100
    assert b"".join(p.data for p in pieces if isinstance(p, Piece)) == data


def test_an_empty_blob_has_a_line() -> None:
    """A blob of no bytes is there all the same."""
    assert len(encode_blob(raw_cid(b""), b"")) == 1


def test_a_plain_event_keeps_its_line_short() -> None:
    """The id is not repeated when the event has it."""
    assert b'"id":"id-1","data"' in encode_message(stored(1))
    assert encode_message(stored(1)).count(b"id-1") == 1
