"""Headers of messages: read faster than nats-py does, and into the same."""

import pytest
from nats.aio.client import Client

from events.connection import FastClient


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"Nats-Msg-Id: 01J\r\nContent-Type: application/cloudevents+json\r\n\r\n",
        b"A:1\r\nB:\t2 \r\nC:  x:y \r\n : z\r\n",
        b"A: 1\r\nA: 2\r\n",
        b"no colon\r\nwith space: 1\r\n tight : 2\r\n",
        b"\xc3\xa9: 1\r\nA: \xc3\xa9\r\nB: \xff\r\n",
        b"a\x1fb: 1\r\n\x1f: 2\r\nA: \x1f3\r\n",
    ],
)
def test_headers_are_those_of_nats_py(raw: bytes) -> None:
    """Any block of header lines is read as nats-py reads it."""
    assert FastClient._parse_header_lines(raw) == Client._parse_header_lines(raw)
