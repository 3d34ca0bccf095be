"""The seal over a job's events."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from events.seal import EMPTY, extend

messages = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=20)), max_size=6)


def seal(events: list[tuple[str, bytes]]) -> bytes:
    value = EMPTY
    for subject, body in events:
        value = extend(value, subject, body)
    return value


def test_by_hand() -> None:
    """The seal of one event is the hash of its parts, as the format says."""
    subject, body = "lota.ev.00.a.g.me.job.submitted", b"{}"
    expected = hashlib.sha256(bytes(32) + b"\x00\x00\x00\x1f" + subject.encode() + body).digest()

    assert len(subject) == 0x1F
    assert seal([(subject, body)]) == expected
    assert seal([]) == bytes(32)


@given(messages, messages)
def test_binding(left: list[tuple[str, bytes]], right: list[tuple[str, bytes]]) -> None:
    """Two histories have one seal only if they are the same, in order, bytes and boundaries."""
    assert (seal(left) == seal(right)) == (left == right)


@given(messages, messages)
def test_chain(left: list[tuple[str, bytes]], right: list[tuple[str, bytes]]) -> None:
    """A checkpoint needs only the seal so far to go on."""
    value = seal(left)
    for subject, body in right:
        value = extend(value, subject, body)

    assert value == seal(left + right)
