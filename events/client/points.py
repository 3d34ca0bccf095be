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
        return int(text)
    ago = text.removesuffix(" ago")
    try:
        return rfc3339(now_ms - duration_ms(ago))
    except ValueError:
        pass
    try:
        return rfc3339(parse_ms(text if "T" in text else f"{text}T00:00:00Z"))
    except ValueError:
        raise WrongUsage(f"{text!r} is no point in the log", hint=EXAMPLES) from None
