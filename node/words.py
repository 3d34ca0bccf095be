"""Numbers, sizes, durations and states in the words that people read."""

from decimal import ROUND_HALF_UP, Decimal

NOTHING = "\N{EN DASH}"
"""Where something is not known."""

SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
KIBI = 1024
THOUSAND = 1000
LARGE = 100_000
"""From here on a number is told in thousands, millions and so on."""

POWERS = ("", "K", "M", "B", "T")
FEW_MS = 10
SECOND_MS = 1_000
MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400

_BUSY = {
    *("offered", "awarded", "assigned", "started", "running", "looking"),
    *("proposed", "revealed", "verifying", "publishing", "retry"),
}
_LOOKS = {
    "good": ("✓", {"completed", "accepted", "published", "live"}),
    "bad": ("✗", {"failed", "rejected", "lost", "quarantined", "void"}),
    "busy": ("▶", _BUSY),
    "warn": ("!", {"draining", "doubtful", "idle"}),
    "gone": ("⊘", {"cancelled", "left"}),
}
_LOOK_OF = {state: look for look, (_, states) in _LOOKS.items() for state in states}


def count(value: float | None) -> str:
    """Return a number: 12,345.6, and from a hundred thousand on 123.5K or 1.2M."""
    if value is None:
        return NOTHING
    power = 0
    while abs(value) >= LARGE or (power and abs(_tenth(value)) >= THOUSAND):
        if power + 1 == len(POWERS):
            break
        value /= THOUSAND
        power += 1
    return _plain(value) + POWERS[power]


def many(number: int, noun: str) -> str:
    """Return a number of things: 1 file, 12 files."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def size(value: float | None) -> str:
    """Return a number of bytes in the largest unit of 1024 that it fills: 1.5 KiB."""
    if value is None:
        return NOTHING
    power = 0
    while value >= KIBI and power + 1 < len(SIZES):
        value /= KIBI
        power += 1
    return f"{_plain(value)} {SIZES[power]}"


def duration(ms: float | None) -> str:
    """Return how long something took, in one unit or two: 12 ms, 4.2 s, 7 min 12 s, 2 d 4 h."""
    if ms is None:
        return NOTHING
    if ms < SECOND_MS:
        return f"{_plain(ms if ms < FEW_MS else _whole(ms))} ms"
    if ms < MINUTE_S * SECOND_MS:
        return f"{_plain(ms / SECOND_MS)} s"
    seconds = int(ms // SECOND_MS)
    if seconds < HOUR_S:
        return _both(seconds, (MINUTE_S, "min"), (1, "s"))
    if seconds < 2 * DAY_S:
        return _both(seconds, (HOUR_S, "h"), (MINUTE_S, "min"))
    return _both(seconds, (DAY_S, "d"), (HOUR_S, "h"))


def look(state: str) -> str:
    """Return how a state looks: good, bad, busy, warn, gone or waiting."""
    return _LOOK_OF.get(state, "waiting")


def sign(state: str) -> str:
    """Return what tells how a state looks, besides its colour."""
    found = _LOOKS.get(look(state))
    return found[0] if found is not None else "○"


def _both(seconds: int, large: tuple[int, str], small: tuple[int, str]) -> str:
    rest = seconds % large[0] // small[0]
    return f"{seconds // large[0]} {large[1]}" + (f" {rest} {small[1]}" if rest else "")


def _plain(value: float) -> str:
    return f"{_tenth(value):,}".removesuffix(".0")


def _tenth(value: float) -> Decimal:
    return Decimal(value).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _whole(value: float) -> int:
    return int(Decimal(value).quantize(Decimal(1), ROUND_HALF_UP))
