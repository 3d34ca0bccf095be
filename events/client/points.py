"""Points in the log as people name them: a position, a moment, or how long ago."""

from events.errors import WrongUsage
from events.times import parse_ms, rfc3339
from events.units import duration_ms

EXAMPLES = "write a position (1234), a time (2026-11-23T09:00:00Z, 2026-11-23) or how long ago (2h)"


def read_point(text: str, now_ms: int) -> int | str:
    """Return a position, or a moment as RFC 3339 in UTC; a date is its first moment in UTC.

    Raises WrongUsage with examples for anything else.
    """
    if text.isdecimal() and text.isascii():
        if not int(text):
            raise WrongUsage("there is no position 0", hint="positions count from 1")
        return int(text)
    if is_ago(text):
        return rfc3339(now_ms - duration_ms(text.removesuffix(" ago")))
    try:
        return rfc3339(parse_ms(text if "T" in text else f"{text}T00:00:00Z"))
    except ValueError:
        raise WrongUsage(f"{text!r} is no point in the log", hint=EXAMPLES) from None


def is_ago(text: str) -> bool:
    """Say whether a point is a duration that has passed since; a bare number is a position."""
    try:
        duration_ms(text.removesuffix(" ago"))
    except ValueError:
        return False
    return not text.isdecimal()
