"""How long something took, in as few letters as say it: 3ms, 4.2s, 7m12s, 3h05m, 2d4h."""

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def shown(ms: int) -> str:
    """Return a duration for people; a negative one is a clock's fault and shown as none."""
    ms = max(0, ms)
    if ms < SECOND_MS:
        return f"{ms}ms"
    if ms < MINUTE_MS:
        return f"{ms / SECOND_MS:.1f}s"
    if ms < HOUR_MS:
        return f"{ms // MINUTE_MS}m{ms % MINUTE_MS // SECOND_MS:02}s"
    if ms < DAY_MS:
        return f"{ms // HOUR_MS}h{ms % HOUR_MS // MINUTE_MS:02}m"
    return f"{ms // DAY_MS}d{ms % DAY_MS // HOUR_MS}h"
