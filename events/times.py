"""Times on the wire: RFC 3339 in UTC with milliseconds, as CloudEvents asks for."""

from datetime import UTC, datetime
from functools import lru_cache

OWN_FORMS = {len("2026-11-23T05:30:00.123Z"), len("2026-11-23T05:30:00.123456789Z")}
"""What Lota writes; many events share a second, so that is parsed once."""

FIRST_MS = -30_610_224_000_000
LAST_MS = 253_402_300_799_999
"""From the year 1000 to 9999: RFC 3339 has four digits for it."""


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(ms: int) -> str:
    """Return milliseconds since the Unix epoch as `2026-11-23T05:30:00.123Z`.

    What RFC 3339 has no year for, as somebody's event may say, becomes its first or last moment.
    """
    ms = min(max(ms, FIRST_MS), LAST_MS)
    seconds, rest = divmod(ms, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


def rfc3339_ns(ns: int) -> str:
    """Return nanoseconds since the Unix epoch as `2026-11-23T05:30:00.123456789Z`."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest:09d}Z"


@lru_cache(maxsize=256)
def _second_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def parse_ms(text: str) -> int:
    """Return milliseconds since the Unix epoch. Raises ValueError if it is not RFC 3339."""
    rest = text[20:-1]
    if len(text) in OWN_FORMS and text[19] == "." and text[-1] == "Z" and rest.isdecimal():
        return _second_ms(text[:19]) + int(rest[:3])
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return round(moment.timestamp() * 1000)
