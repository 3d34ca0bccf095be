"""`traceparent` as W3C Trace Context has it."""

import pytest

from events.trace_context import TraceContext, normal, parse

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-ff", f"00-{TRACE}-{SPAN}-03"),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", f"00-{TRACE}-{SPAN}-01"),
    ],
)
def test_what_is_passed_on(given: str, passed_on: str) -> None:
    """A trace is passed on in the form of version 00, with the flags that this version knows."""
    assert normal(given) == passed_on
    assert normal(passed_on) == passed_on
    assert parse(given) == TraceContext(TRACE, SPAN)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE[1:]}\N{ARABIC-INDIC DIGIT ONE}-{SPAN}-01",
    ],
)
def test_what_is_left_out(given: str | None) -> None:
    """What is malformed or says nothing is no trace."""
    assert normal(given) == ""
    assert parse(given or "") is None
