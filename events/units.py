"""Durations and sizes in the units that people write: `90`, `1.5s`, `24h`; `512Mi`, `2GB`."""

import math
import re
from functools import lru_cache

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_DURATION_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?", re.IGNORECASE)
_SIZE_POWER = {"k": 1.0, "m": 2.0, "g": 3.0, "t": 4.0}


@lru_cache(maxsize=1024)
def duration_ms(text: str) -> int:
    """Return milliseconds for `30m`, `1h30m`, `250ms` or a bare number of seconds.

    Raises ValueError with an example when the text is none of these.
    """
    total_s, at = 0.0, 0
    while at < len(text):
        match = _DURATION.match(text, at)
        if match is None:
            break
        total_s += float(match[1]) * _DURATION_S[match[2]]
        at = match.end()
    if not text or at != len(text) or total_s * 1000 == math.inf:
        raise ValueError(f"{text!r} is not a duration; write it like 90s, 30m or 24h")
    return round(total_s * 1000)


@lru_cache(maxsize=1024)
def size_bytes(text: str) -> int:
    """Return bytes for `512Mi` (powers of 1024), `2GB` (powers of 1000) or a bare number.

    Raises ValueError with an example when the text is none of these.
    """
    match = _SIZE.fullmatch(text.strip())
    size = math.inf
    if match is not None:
        prefix = (match[2] or "").lower()
        base = 1024.0 if prefix.endswith("i") else 1000.0
        size = float(match[1]) * base ** _SIZE_POWER.get(prefix[:1], 0.0)
    if size == math.inf:
        raise ValueError(f"{text!r} is not a size; write it like 512Mi, 2GB or 1048576")
    return round(size)
