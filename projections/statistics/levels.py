"""The widths of buckets, and for how long those of each width are kept.

The width of each level divides the next, so that a bucket lies within one of every wider level.
"""

from collections.abc import Iterator
from typing import NamedTuple

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S
EVER_S = 10_000_000 * DAY_S
"""The width of the one bucket that holds all of the log."""


class Level(NamedTuple):
    """Buckets of one width; each is kept until it began `keep_s` ago, with 0 for ever."""

    width_s: int
    keep_s: int

    def start(self, at_s: int) -> int:
        """Return when the bucket began, or begins, that a time lies in."""
        return at_s - at_s % self.width_s

    def oldest(self, now_s: int) -> int:
        """Return the start of the oldest bucket that is kept when the newest event is of `now_s`.

        It counts from the log's own time, so that what is kept follows from the log alone.
        """
        return max(0, self.start(now_s) - self.keep_s) if self.keep_s else 0

    def gone(self, before_s: int, now_s: int) -> Iterator[int]:
        """Yield the starts of buckets that were kept at one time and are not at a later one."""
        if self.keep_s:
            began = self.start(before_s)
            last = min(self.oldest(now_s), began + self.width_s)
            yield from range(self.oldest(before_s), last, self.width_s)


SECOND = Level(1, 2 * HOUR_S)
MINUTE = Level(MINUTE_S, 7 * DAY_S)
HOUR = Level(HOUR_S, 3 * 365 * DAY_S)
DAY = Level(DAY_S, 0)
EVER = Level(EVER_S, 0)

LEVELS = (
    SECOND,
    Level(10, DAY_S),
    MINUTE,
    Level(10 * MINUTE_S, 90 * DAY_S),
    HOUR,
    Level(6 * HOUR_S, 10 * 365 * DAY_S),
    DAY,
    EVER,
)
"""The finest first."""


def key(level: Level, start_s: int) -> str:
    """Return the key of a bucket's row; those of a level are in the order of their times."""
    return f"{level.width_s:012d}/{start_s:012d}"
