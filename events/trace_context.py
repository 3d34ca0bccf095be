"""Which trace a job belongs to, in the words of W3C Trace Context: the header `traceparent`."""

import re
from typing import NamedTuple

_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<rest>-.*)?"
)
_INVALID_VERSION = "ff"
_FLAGS = 0b11
"""Those that the specification defines: sampled, and that the trace id is random."""


class TraceContext(NamedTuple):
    """A span of a trace, under which what is done for it belongs; both ids are lower-case hex."""

    trace_id: str
    span_id: str


def normal(traceparent: str | None) -> str:
    """Return a `traceparent` as it is passed on, in the form of version 00; "" if it is none.

    Who traces is not to be hindered in working: what is malformed is left out and not refused.
    """
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None or found["version"] == _INVALID_VERSION:
        return ""
    if found["version"] == "00" and found["rest"] is not None:
        return ""
    if not int(found["trace"], 16) or not int(found["span"], 16):
        return ""
    return f"00-{found['trace']}-{found['span']}-{int(found['flags'], 16) & _FLAGS:02x}"


def parse(traceparent: str) -> TraceContext | None:
    """Return what a `traceparent` says, None if it is none."""
    _, _, ids = normal(traceparent).partition("-")
    return TraceContext(*ids.split("-")[:2]) if ids else None
